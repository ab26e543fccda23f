//! A transparent wrapper around a model that tells where its training is.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{
    Content, Devices, DisplaySettings, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper,
    ModuleVisitor,
};
use burn::optim::{GradientsParams, ModuleOptimizer, MultiGradientsParams};
use burn::tensor::Device;
use burn::train::{InferenceStep, TrainOutput, TrainStep};

/// What a [`Tracked`] model reports while Burn trains it; called on the thread that does the step.
///
/// Implementations must not panic and must not call the wrapped model through `Tracked`.
pub(crate) trait Watch<M>: Send + Sync {
    /// The model was placed on a device; weights of a checkpoint are loaded by then.
    fn forked(&self, model: &M);
    /// A training step is about to run.
    fn stepping(&self, model: &M);
    /// An optimiser step is about to run with this base learning rate.
    fn optimising(&self, learning_rate: f64);
    /// A copy in evaluation mode was made: Burn does so when it begins to validate.
    fn evaluating(&self, model: &M);
    /// A validation step is about to run.
    fn inferring(&self, model: &M);
}

/// A model that Emberlens watches while Burn trains it.
///
/// It is `M` in every respect that Burn can see: the same parameters under the same names, the
/// same records (what `Tracked<M>` saves loads into `M`, and the other way round), the same device,
/// mode and display. It is made by [`Lens::track`](crate::Lens::track) and taken apart again by
/// [`Lens::launch`](crate::Lens::launch).
pub struct Tracked<M> {
    model: M,
    watch: Arc<dyn Watch<M>>,
}

impl<M> Tracked<M> {
    pub(crate) fn new(model: M, watch: Arc<dyn Watch<M>>) -> Self {
        Self { model, watch }
    }

    /// The model inside.
    pub fn into_inner(self) -> M {
        self.model
    }

    /// Whether `watch` is what watches this model.
    pub(crate) fn is_watched_by<W>(&self, watch: &Arc<W>) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.watch), Arc::as_ptr(watch))
    }

    fn with(&self, model: M) -> Self {
        Self {
            model,
            watch: Arc::clone(&self.watch),
        }
    }

    fn change(self, change: impl FnOnce(M) -> M) -> Self {
        Self {
            model: change(self.model),
            watch: self.watch,
        }
    }
}

impl<M> Deref for Tracked<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.model
    }
}

impl<M: Clone> Clone for Tracked<M> {
    fn clone(&self) -> Self {
        self.with(self.model.clone())
    }
}

impl<M: fmt::Debug> fmt::Debug for Tracked<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.model.fmt(f)
    }
}

impl<M: fmt::Display> fmt::Display for Tracked<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.model.fmt(f)
    }
}

impl<M: ModuleDisplayDefault> ModuleDisplayDefault for Tracked<M> {
    fn content(&self, content: Content) -> Option<Content> {
        self.model.content(content)
    }

    fn num_params(&self) -> usize {
        self.model.num_params()
    }
}

impl<M: ModuleDisplay> ModuleDisplay for Tracked<M> {
    fn format(&self, passed_settings: DisplaySettings) -> String {
        self.model.format(passed_settings)
    }

    fn custom_settings(&self) -> Option<DisplaySettings> {
        self.model.custom_settings()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        self.model.custom_content(content)
    }
}

impl<M: Module> Module for Tracked<M> {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.model.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        let forked = self.change(|model| model.fork(device));
        forked.watch.forked(&forked.model);
        forked
    }

    fn to_device(self, device: &Device) -> Self {
        self.change(|model| model.to_device(device))
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.model.visit(visitor);
    }

    fn map<P: ModuleMapper>(self, mapper: &mut P) -> Self {
        self.change(|model| model.map(mapper))
    }

    fn train(self) -> Self {
        self.change(Module::train)
    }

    fn valid(&self) -> Self {
        let evaluated = self.with(self.model.valid());
        evaluated.watch.evaluating(&evaluated.model);
        evaluated
    }

    fn materialize(self) -> Self {
        self.change(Module::materialize)
    }

    fn num_params(&self) -> usize {
        Module::num_params(&self.model)
    }
}

impl<M: TrainStep + Module> TrainStep for Tracked<M> {
    type Input = M::Input;
    type Output = M::Output;

    fn step(&self, item: M::Input) -> TrainOutput<M::Output> {
        self.watch.stepping(&self.model);
        TrainStep::step(&self.model, item)
    }

    fn optimize(
        self,
        optim: &mut ModuleOptimizer,
        lr_module: ModuleLearningRate,
        grads: GradientsParams,
    ) -> Self {
        self.watch.optimising(lr_module.base());
        self.change(|model| model.optimize(optim, lr_module, grads))
    }

    fn optimize_multi(
        self,
        optim: &mut ModuleOptimizer,
        lr_module: ModuleLearningRate,
        grads: MultiGradientsParams,
    ) -> Self {
        self.watch.optimising(lr_module.base());
        self.change(|model| model.optimize_multi(optim, lr_module, grads))
    }
}

impl<M: InferenceStep + Module> InferenceStep for Tracked<M> {
    type Input = M::Input;
    type Output = M::Output;

    fn step(&self, item: M::Input) -> M::Output {
        self.watch.inferring(&self.model);
        InferenceStep::step(&self.model, item)
    }
}
