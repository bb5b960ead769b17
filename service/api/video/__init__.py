"""The edge that players talk to: sessions of watching lessons, in the paths and words that front ends have."""
