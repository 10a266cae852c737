"""What a compiled function is made of."""


def operations(function):
    """Returns the types of a concrete function's operations.

    Those of the functions that it calls are among them.
    """
    definition = function.graph.as_graph_def()
    nodes = [*definition.node]
    for each in definition.library.function:
        nodes += each.node_def
    return {node.op for node in nodes}
