"""temporary"""
class Size(tuple): pass
