//! Pose estimation: keypoints of instances.

mod oks;
mod pose;
mod task;

pub use pose::{Keypoint, Pose, TrueKeypoint, TruePose};
pub use task::{PoseEstimation, Poses};
