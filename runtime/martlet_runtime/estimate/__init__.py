"""How much memory training needs, told before an accelerator is asked for."""
