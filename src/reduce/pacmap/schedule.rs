//! Weights and learning rate of every iteration.

/// Adam's decay rates (Kingma and Ba 2015); the optimiser's constants are their complements.
const FIRST_DECAY: f64 = 0.9;
const SECOND_DECAY: f64 = 0.999;

/// The weight of mid-near pairs at the start.
const MID_AT_START: f32 = 1000.0;

/// Iterations of the three phases, and the learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Schedule {
    pub(super) phases: [usize; 3],
    pub(super) learning_rate: f32,
    /// Whether rows begin where an earlier layout left them: Adam's second means then begin at a
    /// typical force instead of at nothing, and need no correction.
    pub(super) warm: bool,
}

/// One iteration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) index: usize,
    pub(super) near: f32,
    pub(super) mid: f32,
    /// The learning rate, corrected for Adam's means that begin at zero.
    pub(super) rate: f32,
}

impl Schedule {
    /// Number of iterations.
    pub(super) fn total(&self) -> usize {
        self.phases
            .iter()
            .fold(0, |sum: usize, &part| sum.saturating_add(part))
    }

    /// All iterations in order, with the weights of section 4 of the paper: first mid-near pairs
    /// draw the global structure, then near pairs take over, then they are alone.
    pub(super) fn steps(self) -> impl Iterator<Item = Step> {
        let [first, second, _] = self.phases;
        (0..self.total()).map(move |index| {
            let (near, mid) = if index < first {
                let share = index as f32 / first as f32;
                (2.0, (1.0 - share) * MID_AT_START + share * 3.0)
            } else if index - first < second {
                (3.0, 3.0)
            } else {
                (1.0, 0.0)
            };
            let done = (index + 1) as f64;
            let second = if self.warm {
                1.0
            } else {
                (1.0 - SECOND_DECAY.powf(done)).sqrt()
            };
            let correction = second / (1.0 - FIRST_DECAY.powf(done));
            let rate = (f64::from(self.learning_rate) * correction) as f32;
            Step {
                index,
                near,
                mid,
                rate,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_are_those_of_the_paper() {
        let schedule = Schedule {
            phases: [100, 100, 250],
            learning_rate: 1.0,
            warm: false,
        };
        let steps: Vec<Step> = schedule.steps().collect();
        assert_eq!(steps.len(), 450);
        let weights = |index: usize| (steps[index].near, steps[index].mid);
        assert_eq!(weights(0), (2.0, 1000.0));
        assert_eq!(weights(50), (2.0, 501.5));
        assert_eq!(weights(100), (3.0, 3.0));
        assert_eq!(weights(199), (3.0, 3.0));
        assert_eq!(weights(200), (1.0, 0.0));
        // sqrt(1 - 0.999) / (1 - 0.9)
        assert!((steps[0].rate - 0.316_227_77).abs() < 1e-6);
    }

    #[test]
    fn a_phase_may_be_empty() {
        let schedule = Schedule {
            phases: [0, 0, 3],
            learning_rate: 0.5,
            warm: false,
        };
        assert!(schedule.steps().all(|step| step.mid == 0.0));
        let none = Schedule {
            phases: [0; 3],
            learning_rate: 1.0,
            warm: false,
        };
        assert_eq!(none.steps().count(), 0);
    }
}
