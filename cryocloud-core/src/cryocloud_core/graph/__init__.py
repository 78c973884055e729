"""What is to be done: a workflow as pure, checked data.

Laws: nothing here reads a file, a clock or the configuration; text and specs come in, frozen data goes out.
"""
