"""Servers that cut, lie, change, freeze and send rubbish, and what CryoCloud makes of them."""
