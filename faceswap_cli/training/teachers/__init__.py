"""Networks others trained, that label, judge or embed what ours learn from."""
