from . import algorithms, models
from .algorithms.algorithm import Algorithm, Lesson
from .algorithms.fomaml import FOMAML
from .algorithms.gradient_combination import GradientCombination
from .algorithms.maml import ANIL, MAML
from .algorithms.optimizers import SGD, Adam, InnerOptimizer
from .algorithms.reptile import Reptile
from .data.episodes import Episodes
from .data.labelled_examples import ClassImages, LabelledExamples
from .data.python_tasks import PythonTasks, tasks_from_function
from .data.sine import SineWaves
from .data.sources.registry import load_classes, load_tasks
from .data.task import Task
from .data.varied_episodes import VariedEpisodes
from .training.checkpoints import Checkpoint
from .training.learner import MetaLearner
from .training.meta_optimizer import linear_decay
from .training.score import Score
from .training.settings import Settings
from .training.tensorboard import TensorBoard
from .utils.machine import configure_tensorflow

__all__ = [
    "ANIL",
    "FOMAML",
    "MAML",
    "SGD",
    "Adam",
    "Algorithm",
    "Checkpoint",
    "ClassImages",
    "Episodes",
    "GradientCombination",
    "InnerOptimizer",
    "LabelledExamples",
    "Lesson",
    "MetaLearner",
    "PythonTasks",
    "Reptile",
    "Score",
    "Settings",
    "SineWaves",
    "Task",
    "TensorBoard",
    "VariedEpisodes",
    "algorithms",
    "configure_tensorflow",
    "linear_decay",
    "load_classes",
    "load_tasks",
    "models",
    "tasks_from_function",
]
