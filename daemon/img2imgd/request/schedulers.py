def a1111_name(name):
    return ("Euler", None)
