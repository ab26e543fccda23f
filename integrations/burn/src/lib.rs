//! Emberlens for Burn.
