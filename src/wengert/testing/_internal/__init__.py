"""What PyTorch's own test files import: its `TestCase`, parametrised tests, tests of each device and dtype, its conditions.

So that those files run here as they stand, with `wengert.alias`. The modules named `common_...` carry PyTorch's names and hold
no code of their own but the dtypes; what they name lives in the modules beside them. Nothing of Wengert imports this.
"""
