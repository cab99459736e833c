"""What a person does to data sets: a machine that only trains and evaluates can live without this room."""
