"""From goals to sentences: a grammar, its bank of paraphrases, and the check that nothing leaks between the splits."""
