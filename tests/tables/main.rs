//! Promises of tables, one in each file: what goes in and comes out, revisions, filters, samplers.

#[path = "../inputs/yolo.rs"]
mod yolo;

mod a_failed_edit_leaves_the_old_or_the_new_revision;
mod a_filter_says_which_column_it_means;
mod a_split_is_fair_and_comes_back;
mod an_edit_can_be_undone;
mod an_edit_is_a_new_revision;
mod an_old_revision_stays_readable;
mod boxes_of_coco_keep_their_numbers;
mod coco_data_sets_come_in_and_go_out;
mod coco_files_are_read_as_people_have_them;
mod concurrent_edits_conflict;
mod corners_of_no_rectangle_get_the_smallest_box;
mod datasets_become_tables;
mod dates_are_compared_and_set;
mod every_value_comes_back;
mod filters_agree_with_duckdb;
mod image_folders_become_tables;
mod malformed_annotations_are_named_or_skipped;
mod malformed_labels_are_named_or_skipped;
mod masks_of_classes_become_tables;
mod nested_columns_come_back;
mod numbers_survive_the_table_and_the_export;
mod roles_survive;
mod samplers_follow_weights;
mod tables_import_what_people_have;
mod text_files_become_tables;
mod yolo_data_sets_are_read_as_people_lay_them_out;
mod yolo_data_sets_come_in_and_go_out;
