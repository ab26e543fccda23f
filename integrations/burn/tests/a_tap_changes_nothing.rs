//! A tap lets values and gradients through, records only on request, and only on its own thread.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use common::*;
use emberlens_burn::{Tap, capture};

fn random(shape: [usize; 3], device: &Device) -> Tensor<3> {
    Tensor::random(shape, Distribution::Default, device)
}

#[test]
fn values_and_gradients_pass() {
    let x = random([2, 3, 4], &device()).require_grad();
    let gradient = |tapped: bool| {
        let square = x.clone() * x.clone();
        let seen = match tapped {
            true => capture(|| Tap::new("square").forward(square)).0,
            false => square,
        };
        let gradients = seen.sum().backward();
        x.grad(&gradients).unwrap().into_data()
    };
    assert_eq!(gradient(true), gradient(false));
}

#[test]
fn what_is_captured_is_the_tensor_without_autodiff() {
    let x = random([2, 3, 4], &device());
    let (_, captured) = capture(|| Tap::new("x").forward(x.clone()));
    assert_eq!(captured.names().collect::<Vec<_>>(), ["x"]);
    let array = captured.into_arrays().unwrap().remove("x").unwrap();
    assert_eq!(array.shape(), [2, 3, 4]);
    let values: Vec<f32> = x.into_data().iter::<f32>().collect();
    assert_eq!(array.iter().copied().collect::<Vec<f32>>(), values);
}

#[test]
fn nothing_is_recorded_outside_a_capture_or_on_another_thread() {
    let tap = Tap::new("x");
    tap.forward(random([1, 1, 1], &Device::flex()));
    let (_, captured) = capture(|| {
        let tap = tap.clone();
        let elsewhere = std::thread::spawn(move || {
            tap.forward(random([1, 1, 1], &Device::flex()));
        });
        elsewhere.join().unwrap();
    });
    assert!(captured.is_empty());
}

#[test]
fn captures_nest_and_end_with_a_panic() {
    let tap = |name: &str| drop(Tap::new(name).forward(random([1, 1, 1], &Device::flex())));
    let (inner, outer) = capture(|| {
        tap("outer");
        capture(|| tap("inner")).1
    });
    assert_eq!(outer.names().collect::<Vec<_>>(), ["outer"]);
    assert_eq!(inner.names().collect::<Vec<_>>(), ["inner"]);

    let (_, after) = capture(|| {
        let panicked = std::panic::catch_unwind(|| capture(|| panic!("in the model")));
        assert!(panicked.is_err());
        tap("after");
    });
    assert_eq!(after.names().collect::<Vec<_>>(), ["after"]);
}

#[test]
fn it_survives_whatever_burn_does_to_a_module() {
    let net = Net::new(&device());
    for (net, device) in [
        (net.valid(), Device::flex()),
        (net.clone().fork(&device()), device()),
        (net.valid().train(), device()),
    ] {
        let batch = Batch {
            features: Tensor::zeros([5, 4], &device),
            labels: Tensor::zeros([5], &device),
        };
        let (_, captured) = capture(|| net.classify(batch));
        let arrays = captured.into_arrays().unwrap();
        assert_eq!(arrays["hidden"].shape(), [5, 8]);
    }
}
