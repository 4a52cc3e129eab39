"""How tasks are made: what customers ask for, in which words, and what an index of the shop makes quick."""
