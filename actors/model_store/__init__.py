"""The model store: cards, where their weights lie, how they are fetched, checked and put into networks."""
