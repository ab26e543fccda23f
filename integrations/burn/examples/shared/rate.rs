//! The learning rate of a training: highest at its start, 0 at its end.

use burn::lr_scheduler::composed::ComposedLrSchedulerConfig;
use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;

use crate::program::Failure;

/// Falls from `highest` to 0 along a cosine, in so many epochs.
///
/// # Source
/// Loshchilov and Hutter, *SGDR: Stochastic Gradient Descent with Warm Restarts* (2017), equation 5, without
/// restarts.
pub fn falling(
    highest: f64,
    samples: usize,
    batch_size: usize,
    epochs: usize,
) -> Result<ModuleLrScheduler, Failure> {
    let steps = samples.div_ceil(batch_size) * epochs;
    // Burn's cosine takes no rate above 1; a product with a constant does.
    let share = CosineAnnealingLrSchedulerConfig::new(1.0, steps);
    let rate = ComposedLrSchedulerConfig::new()
        .constant(highest)
        .cosine(share);
    Ok(rate.init()?)
}
