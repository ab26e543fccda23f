//! What a tracked model saves loads into the plain one, and the other way round.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::prelude::*;
use common::*;

#[derive(Default)]
struct Weights(Vec<(String, ParamId, Vec<f32>)>, Vec<String>);

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = param.val().into_data().iter::<f32>().collect();
        self.0.push((self.1.join("."), param.id, values));
    }
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.1.push(name.to_owned());
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.1.pop();
    }
}

/// Path, identity and values of every parameter.
fn weights(model: &impl Module) -> Vec<(String, ParamId, Vec<f32>)> {
    let mut weights = Weights::default();
    model.visit(&mut weights);
    weights.0
}

fn values(model: &impl Module) -> Vec<Vec<f32>> {
    weights(model)
        .into_iter()
        .map(|(_, _, values)| values)
        .collect()
}

#[test]
fn a_record_of_one_is_a_record_of_the_other() {
    let root = tempfile::tempdir().unwrap();
    let lens = lens(root.path());
    let (plain, other) = (Net::new(&device()), Net::new(&device()));
    let tracked = lens.track(plain.clone());
    assert_ne!(values(&plain), values(&other));
    assert_eq!(
        weights(&tracked),
        weights(&plain),
        "names, identities and values"
    );
    assert_eq!(Module::num_params(&tracked), Module::num_params(&plain));
    assert_eq!(tracked.to_string(), plain.to_string());

    let into_plain = other.clone().load_record(tracked.clone().into_record());
    assert_eq!(values(&into_plain), values(&plain));
    let into_tracked = lens
        .track(plain.clone())
        .load_record(other.clone().into_record());
    assert_eq!(values(&into_tracked), values(&other));

    let file = root.path().join("tracked");
    tracked.save_file(&file).unwrap();
    assert_eq!(values(&other.load_file(&file)), values(&plain));
}

/// A model without the tap, as it may have been saved before there was one.
#[derive(Module, Debug)]
struct Untapped {
    hidden: burn::nn::Linear,
    head: burn::nn::Linear,
}

#[test]
fn a_tap_adds_nothing_to_a_record() {
    let untapped = Untapped {
        hidden: burn::nn::LinearConfig::new(4, 8).init(&device()),
        head: burn::nn::LinearConfig::new(8, CLASSES).init(&device()),
    };
    let tapped = Net::new(&device()).load_record(untapped.clone().into_record());
    assert_eq!(values(&tapped), values(&untapped));
    let back = untapped.load_record(Net::new(&device()).into_record());
    assert_eq!(values(&back).len(), 4);
}
