//! Promises of the metrics, one in each file: whose values they have, what they refuse.

#[path = "../inputs/scenes.rs"]
mod scenes;

mod bad_instances_are_named;
mod classification_agrees_with_scikit_learn;
mod detection_agrees_with_pycocotools;
mod instances_are_pooled_as_numpy_pools_them;
mod keypoints_agree_with_pycocotools;
mod masks_agree_with_pycocotools;
mod oriented_boxes_agree_with_shapely;
mod other_tasks_agree_with_scikit_learn;
mod polygons_are_drawn_as_pycocotools_draws_them;
mod segmentation_agrees_with_scikit_learn;
mod truths_are_read_from_any_table;
