//! One executor per step kind and the policy dispatcher.
