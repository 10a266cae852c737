"""Glyphs: a thousand characters in twenty handwritten-looking drawings each.

A stand-in for Omniglot that needs no network. A character of the font that
comes with matplotlib is thinned to the line its pen would follow; a drawing is
that line, bent at random and traced with a pen of random width.
"""

import contextlib
import functools
import os
import pathlib
import sys
import unicodedata

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image, ImageDraw, ImageFont, ImageOps

from reptile_tf.data.sources import tfds_images, tfds_preparation
from reptile_tf.data.splits import ClassSplits
from reptile_tf.data.task_settings import TaskSettings
from reptile_tf.data.thinning import thin
from reptile_tf.utils import docstrings
from reptile_tf.utils.extras import extra
from reptile_tf.utils.files import temporary_folder
from reptile_tf.utils.home import cache_folder
from reptile_tf.utils.validation import require_writable

with extra("plots"):
    import matplotlib

# The classes. No two look alike once they are scaled to the same size, not even
# after a quarter turn, so that turned classes can serve as new ones: of Latin
# A, Greek Alpha and Cyrillic A only the first is here.
CHARACTERS = (
    # Latin
    "ABCDEFGHIKLMNOPQRSTUVWXYabdfghkrtyÆÐØÞßæðđĦħŁŊŒŦŧƀƁƂƄƇƊƋƎƒƓƕƖƘƙƛƝƟƢƣƤƥƦƧ"
    "ƩƪƭƮƱƲƳƴƵƷƸƺƾƿǁǤǥǶȜȡȣȤȴȵȶȸȺȻȽȾȿɀɁɂɃɄɆɇɈɊɍɎɏɕɖɗɘɚɛɝɠɣɧɨɫɮɰɱɲɷɸɻɽɾʁʂʑʓʕʝʠʡ"
    "ʣʤʥʦʨʩʪʫʬʭʮᴎᴔᴖᵽẜỺỻⱠⱤⱥⱦⱧⱩⱪⱫⱱⱲⱴⱺꜦꜨꜲꜴꜶꜸꜹꜺꜼꝀꝈꝉꝒꝦꞂꞍꞐꞑꞡꞢꞣꞤꞥꞦꞧꞨꞪꟻꟼꟿ"
    # Greek
    "ͲΔΞΠΨαβζλμνξςφωϏϗϘϝϞϟϠϡϺϻ"
    # Cyrillic
    "ЂЄЉЊЋЏДЖКЛЦЩЪЫЮђћѢѣѤѦѨѪѬѮѰѸѼѾҊҍҎҏґғҕҘҜҠҤҦҨҭҰҲҴҶҸҼҾӃӋӍӻӾԂԄԆԈԎԒԔԖԗԘԞԠԢꙍꙐꙖꙗ"
    "ꙢꙤꙦꚔ"
    # Coptic
    "ϢϤϦϧϨϪϮ"
    # Old Italic
    "𐌂𐌄𐌊𐌋𐌌𐌍𐌐𐌒𐌕𐌖"
    # Armenian
    "ԲԳԴԵԶԷԹԺԻԾԿՀՁՂՃՅՇՉՊՋՌՎՐՒՔՖըթիխծճնշչջփֆ"
    # Georgian
    "ႠႡႢႣႤႥႧႩႪႫႬႮႰႴႵႸႻႼႾႿჀჁჂჄჅაბდვიკლმორსტუფქღყცჯჰჴჷჸჺⴀⴂⴅⴆⴇⴈⴎⴏⴓⴕⴛⴜⴠⴡⴥ"
    # Hebrew
    "אבגהזךלמעפצקשױײ"
    # Arabic
    "ءبةثجخرزسشطعفقكمنوىٯٹټڀډڊڋڐڑړڕږڜڞڠڢکڪګڭڮڲڴڵڶڸڹںڻڼھڿۆۇێې"
    # N'Ko
    "ߌߐߑߒߚߝߞߢߣߤߦ"
    # Tifinagh
    "ⴵⴻⴽⴿⵃⵄⵅⵇⵋⵌⵐⵒⵕⵛⵜⵞⵟⵢⵣⵤⵥ"
    # Lao
    "ກຂຄງຈຊຍດຕຖທນບປຜຝພມຣລວສຫອຮຯະາແໂໃໆ"
    # Ogham
    "ᚃᚊᚋᚌᚍᚒᚕᚖᚗᚘ"
    # Canadian syllabics
    "ᐂᐄᐆᐋᐍᐒᐚᐟᐥᐫᐬᐭᐮᐴᐹᐻᐾᐿᑀᑄᑏᑑᑖᑝᑥᑧᑨᑩᑪᑬᑰᑴᑵᑶᑷᑸᑹᑼᒀᒁᒅᒆᒇᒈᒋᒐᒒᒓᒔᒕᒖᒗᒚᒛᒞᒟᒤᒦᒨᒮᒯᒹᒺᓁᓅᓈᓒᓔᓘᓝᓞᓡ"
    "ᓢᓣᓧᓭᓮᓯᓲᓵᓶᓸᔄᔐᔑᔒᔓᔔᔖᔚᔛᔝᔞᔟᔡᔤᔦᔧᔨᔩᔫᔮᔯᔰᔱᔲᔽᕂᕃᕅᕇᕉᕌᕓᕕᕖᕘᕚᕡᕢᕣᕥᕦᕧᕴᕵᕶᕸᕺᕾᕿᖁᖂᖃᖅᖊᖋᖎᖏᖑᖒᖓᖕᖖ"
    "ᖣᖧᖨᖩᖫᖭᙆᙇᙰᙱᙳᙵ"
    # Digits
    "47٢٣٤٩۴۶߁߄߇໑໒໓໕໖໗໘໙"
    # Currency
    "¢£¤¥₠₡₢₣₥₧₩₪€₭₮₰₱₲₳₴₸₹₺"
    # Symbols
    "℄℞℟℣℥℮↖↜↝↞↢↤↨↩↪↫↬↭↯↰↴↶↷↸↹↺↻↼↿⇄⇆⇇⇖⇞⇢⇤⇦⇪⇫⇮⇯⇱⌂⌅⌆⌌⌤⌥⌦⌬⍽⎇⏎⏥⏨▫▭◌☄☆☇☈☍☔☜☞☡☣☥☧☪"
    "☭☹☺☼☽☿♀♂♃♄♅♆♇♈♉♊♋♌♍♎♏♐♑♒♘♙♡♢♤♧♩♪♬♭♮♱♳♶♻♿⚍⚏⚐⚒⚓⚔⚘⚜⚞⚠⚡⚤⚥⚦⚧⚮⚯⚵"
    "⚶⚷⚸✇✈✓✗✮✳❈➔➢➩➬➭➳➴➾⬀⬎⬐"
    # Mathematics
    "℘⅋⇶⇸∈∓∖√∛∠∡∲∸∺∻∿≅≌≎≏≐≑≓≔≗≘≙≚≛≞≟≣≤≥≦≧≪≲≳≶≷≼≽⊆⊇⊌⊑⊜⊦⊧⊨⊪⊫⊴⊵⊹⊻⊽⊾⊿⋇⋌⋙⋚⋤⋦⋧⋳⋵⋶⋸⟰"
    "⟲⟳⟴⟼⧎⧏⧻⨏⨒⨗⩿⪁⪂⪃⪄⪉⪊⪌⪛⪜⪝⪞⪟⪠"
)
DRAWINGS = 20  # of each, as in Omniglot
SIZE = 28  # of a drawing, in pixels

_GRID = 48  # side of the bitmap that is thinned, in pixels
_FINE = 4  # the pen moves on a grid this much finer than the drawing's


class Glyphs(tfds.core.GeneratorBasedBuilder):
    """TFDS builder: all `CHARACTERS`, drawn `DRAWINGS` times each.

    Its only split, "train", holds everything, class after class; which classes
    to learn from and which to keep for testing is decided elsewhere. Features:

    - image: uint8, shape (28, 28, 1); paper is 255, ink 0, edges in between;
    - label: int64; its name is the character's Unicode name, so
      `unicodedata.lookup(name)` is the character.
    """

    VERSION = tfds.core.Version("1.0.1")
    RELEASE_NOTES = {
        "1.0.1": "The same drawings under every version of Pillow.",
        "1.0.0": "Initial release.",
    }

    def _info(self):
        names = [unicodedata.name(character) for character in CHARACTERS]
        features = {
            "image": tfds.features.Image(
                shape=(SIZE, SIZE, 1), encoding_format="png"
            ),
            "label": tfds.features.ClassLabel(names=names),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=docstrings.of(sys.modules[__name__]),
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        del dl_manager  # there is nothing to download
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for label, character in enumerate(CHARACTERS):
            for i, drawing in enumerate(draw(character)):
                # Pillow encodes small images faster than TensorFlow does.
                image = Image.fromarray(drawing[..., 0])
                yield label * DRAWINGS + i, {"image": image, "label": label}


def load(
    settings: TaskSettings, seed: int, data_dir: str | os.PathLike | None
) -> ClassSplits:
    """Returns the training, the validation and the test classes, 64:16:20.

    They are drawn once on a machine, which takes about half a minute.

    Args:
        settings: whose `validation_classes` counts.
        seed: of the split by class.
        data_dir: not used; they are kept in the cache.
    """
    del data_dir
    with contextlib.ExitStack() as stack:
        try:
            folder = cache_folder() / "tfds"
            with tfds_preparation.named_if_damaged(folder, Glyphs.name):
                builder = Glyphs(data_dir=folder)
            if not builder.is_prepared():
                require_writable(REPTILE_TF_CACHE=folder)
                _prepare(builder)
        # A full disk is an error of TensorFlow, or what TFDS makes of it.
        except (ValueError, OSError, RuntimeError, tf.errors.OpError) as error:
            told = str(error).splitlines()[0]
            print(
                f"The cache cannot hold the glyphs: {told}; REPTILE_TF_CACHE "
                "can name a folder for it"
            )
            builder = Glyphs(data_dir=stack.enter_context(temporary_folder()))
            _prepare(builder)
        return tfds_images.load_split(
            builder, seed, settings.validation_classes
        )


def _prepare(builder: Glyphs) -> None:
    count = len(CHARACTERS) * DRAWINGS
    print(f"Drawing {count:,} glyphs, for half a minute", flush=True)
    # TFDS tells how it writes files, in bars that cover one another.
    with tfds_preparation.quiet(everywhere=True):
        builder.download_and_prepare()


def draw(character: str) -> np.ndarray:
    """Draws a character `DRAWINGS` times, each time a little differently.

    Args:
        character: a string of one character that the font has.

    Returns:
        uint8 array of shape (20, 28, 28, 1), paper 255, ink 0: a function of
        the character alone.
    """
    rng = np.random.default_rng(ord(character))
    line = pen_line(character)
    line = line + rng.random((DRAWINGS, 1, 1)) * (_rounded(line) - line)
    bend = [_waves(line, rng), _waves(line, rng)]
    line = line + 0.08 * np.stack(bend, axis=-1)
    # Turn, slant and stretch in one.
    line = line @ (np.eye(2) + rng.normal(0, 0.12, (DRAWINGS, 2, 2)))
    width = rng.uniform(1, 1.9, (DRAWINGS, 1)) * (1 + 0.12 * _waves(line, rng))
    return trace(_placed(line, rng), width)


def pen_line(character: str) -> np.ndarray:
    """Finds the points that a pen visits to write a character.

    Args:
        character: a string of one character that the font has.

    Returns:
        float64 array of shape (points, 2): rows and columns, in no particular
        order. The longer side of the character spans about [-1, 1].
    """
    image = Image.new("L", (256, 192))
    ImageDraw.Draw(image).text((64, 32), character, fill=255, font=_font())
    image = _shrunk(image.crop(image.getbbox()))
    pixels = np.argwhere(thin(np.asarray(image) > 127))
    return (pixels + 0.5) * 2 / _GRID - 1


def _shrunk(image: Image.Image) -> Image.Image:
    """Fits a picture into the grid.

    One side after the other, since the order shows in a few pixels, and Pillow
    has another one from version 13 on.
    """
    size = ImageOps.contain(image, (_GRID, _GRID)).size
    if image.height > 2 * image.width:
        first = (image.width, size[1])
    else:
        first = (size[0], image.height)
    return ImageOps.pad(image.resize(first).resize(size), (_GRID, _GRID))


@functools.cache
def _font():
    fonts = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf")
    # Every Pillow has the basic layout engine; not every one has the other.
    engine = ImageFont.Layout.BASIC
    return ImageFont.truetype(
        fonts / "DejaVuSans.ttf", 96, layout_engine=engine
    )


def _rounded(line, times=6):
    """Moves points to the mean of their neighbourhood, which rounds corners."""
    apart = np.abs(line[:, None] - line).max(axis=-1)
    weights = (apart < 3 / _GRID).astype(float)  # neighbours are 2 / _GRID off
    weights /= weights.sum(axis=1, keepdims=True)
    for _ in range(times):
        line = weights @ line
    return line


def _waves(line, rng, count=3):
    """Draws smooth functions of the place: (drawings, points), variance 1/2."""
    # In radians per half side: at most 1.2 periods from side to side.
    frequency = rng.uniform(-1.2, 1.2, (len(line), 2, count)) * np.pi
    phase = rng.uniform(0, 2 * np.pi, (len(line), 1, count))
    return np.sin(line @ frequency + phase).sum(axis=-1) / count**0.5


def _placed(line, rng):
    """Scales and shifts drawings, from any units to pixels in [2, SIZE - 2]."""
    low, high = line.min(axis=1, keepdims=True), line.max(axis=1, keepdims=True)
    longer = (high - low).max(axis=-1, keepdims=True)
    scale = rng.uniform(18, 22, longer.shape) / longer
    room = (SIZE - 4 - scale * (high - low)) / 2
    shift = np.clip(rng.normal(0, 1, room.shape), -room, room)
    return SIZE / 2 + shift + scale * (line - (low + high) / 2)


def trace(line: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Inks what a round pen covers.

    Args:
        line: float array of shape (drawings, points, 2): rows and columns of
            the pen's middle, in pixels, in [2, SIZE - 2].
        width: float array of shape (drawings, points): the pen's, in pixels,
            less than 4.

    Returns:
        uint8 array of shape (drawings, SIZE, SIZE, 1), paper 255, ink 0.
    """
    side = SIZE * _FINE
    row, column = np.moveaxis((line * _FINE).astype(int), -1, 0)
    middle = (np.arange(len(line))[:, None] * side + row) * side + column
    radius = width * _FINE / 2
    ink = np.zeros(len(line) * side * side, np.uint8)
    reach = int(radius.max())
    for down, right in np.ndindex(2 * reach + 1, 2 * reach + 1):
        down, right = down - reach, right - reach
        covered = middle[radius >= np.hypot(down, right)]
        ink[covered + down * side + right] = 1
    # One axis at a time: NumPy is slow at both together.
    ink = ink.reshape(-1, _FINE, side).sum(axis=1, dtype=np.uint8)
    ink = ink.reshape(-1, SIZE, SIZE, 1, _FINE).sum(axis=-1) / _FINE**2
    return np.rint(255 * (1 - ink)).astype(np.uint8)
