"""What each part of a policy is worth: one recipe, trained and judged variant by variant, and one figure."""
