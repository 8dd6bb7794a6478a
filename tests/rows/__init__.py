"""One test row for each row of the tables: sample arguments, from which `test_table.py` proves all that holds of it."""
