"""The base tasks as data: what each draws, shows and asks, and the grammar of task names."""
