"""The engine: tensors, nodes, recording and the walk back. It knows no particular operation.

Nothing in here may import `wengert.ops` or anything public; arrows point from the tables to the engine.
"""
