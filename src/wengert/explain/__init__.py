"""The mathematics of a backward pass, from the rules that really ran."""
