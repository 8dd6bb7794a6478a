"""The tables: every operation with its derivative, one family in one file.

A row may use any other row; nothing outside `wengert.core` and `wengert.kernels` may be imported here.
"""
