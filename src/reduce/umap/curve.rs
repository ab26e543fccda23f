//! The curve that turns distances in the layout into memberships.

/// Points that the curve is fitted to.
const POINTS: usize = 300;

/// Steps of the fit at most.
const STEPS: usize = 500;

/// `a` and `b` of `1 / (1 + a d^(2b))`, the curve closest by least squares to 1 up to `min_dist` and
/// `exp(-(d - min_dist) / spread)` beyond, at 300 distances from 0 to 3 `spread`
/// (McInnes, Healy, Melville 2018, definition 11).
///
/// Levenberg's and Marquardt's steps from a = b = 1, over the logarithms of both.
pub(super) fn fit(spread: f64, min_dist: f64) -> (f64, f64) {
    let points: Vec<(f64, f64)> = (0..POINTS)
        .map(|index| {
            let d = 3.0 * index as f64 / (POINTS - 1) as f64;
            let beyond = d - min_dist / spread;
            (d, if beyond < 0.0 { 1.0 } else { (-beyond).exp() })
        })
        .collect();
    // Distances in units of `spread`; `a` is brought back at the end.
    let error = |a: f64, b: f64| -> f64 {
        let residual = |&(d, wanted): &(f64, f64)| (curve(d, a, b) - wanted).powi(2);
        points.iter().map(residual).sum()
    };
    let (mut a, mut b, mut damping) = (1.0_f64, 1.0_f64, 1e-3);
    let mut current = error(a, b);
    for _ in 0..STEPS {
        let (mut aa, mut ab, mut bb, mut ra, mut rb) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for &(d, wanted) in points.iter().filter(|point| point.0 > 0.0) {
            let value = curve(d, a, b);
            let slope = -value * (1.0 - value);
            let (by_a, by_b) = (slope, slope * 2.0 * b * d.ln());
            let residual = wanted - value;
            aa += by_a * by_a;
            ab += by_a * by_b;
            bb += by_b * by_b;
            ra += by_a * residual;
            rb += by_b * residual;
        }
        let (da, db) = (aa * (1.0 + damping), bb * (1.0 + damping));
        let determinant = da * db - ab * ab;
        let (step_a, step_b) = (
            (ra * db - rb * ab) / determinant,
            (rb * da - ra * ab) / determinant,
        );
        let (next_a, next_b) = (a * step_a.exp(), b * step_b.exp());
        let next = error(next_a, next_b);
        if next.is_finite() && next <= current {
            (a, b, current) = (next_a, next_b, next);
            damping /= 10.0;
            if step_a.abs().max(step_b.abs()) < 1e-12 {
                break;
            }
        } else {
            damping *= 10.0;
            if damping > 1e12 {
                break;
            }
        }
    }
    (a / spread.powf(2.0 * b), b)
}

fn curve(d: f64, a: f64, b: f64) -> f64 {
    1.0 / (1.0 + a * d.powf(2.0 * b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_of_umap_learn() {
        // umap.umap_.find_ab_params(spread, min_dist), umap-learn 0.5.12 with scipy's curve_fit
        for (spread, min_dist, a, b) in [
            (1.0, 0.1, 1.576_943_460_3, 0.895_060_877_9),
            (1.0, 0.0, 1.932_808_397_3, 0.790_494_973_2),
            (1.0, 0.5, 0.583_030_020_3, 1.334_166_992_4),
            (1.0, 0.99, 0.119_305_299_9, 1.916_390_416_9),
            (2.0, 0.1, 0.544_660_539_9, 0.842_055_426_8),
            (0.5, 0.05, 5.453_765_166_3, 0.895_060_800_2),
            (3.0, 1.0, 0.073_078_624_1, 1.148_889_437_1),
        ] {
            let found = fit(spread, min_dist);
            assert!((found.0 / a - 1.0).abs() < 1e-5, "{found:?}");
            assert!((found.1 / b - 1.0).abs() < 1e-5, "{found:?}");
        }
    }
}
