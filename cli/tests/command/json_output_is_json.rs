use crate::example::Example;

#[test]
fn every_command_prints_one_json_object_and_nothing_else() {
    let example = Example::new();
    let file = example.root().join("rows.csv").display().to_string();
    let id = crate::embedded::run(&example);
    let matrix = crate::embedded::matrix_file(&example);
    let coordinates = example.root().join("xy.npy").display().to_string();
    let picture = example.root().join("plot.svg").display().to_string();
    let calls: [&[&str]; 15] = [
        &["ls"],
        &["show", "cnn"],
        &["top", "cnn", "--by", "loss", "--epoch", "0"],
        &["export", "cnn", "-o", &file],
        &["reduce", &matrix, "-o", &coordinates],
        &["reduce", &id],
        &["plot", "embedding", &id, "-o", &picture],
        &["verify", "cnn"],
        &["compact", "cnn"],
        &["vacuum", "cnn"],
        &["edit", "ink", "--set", "label=0", "--all", "--dry-run"],
        &["edit", "ink", "--set", "label=0", "--all"],
        &["revisions", "ink"],
        &["diff", "ink@0", "ink@1"],
        &["undo", "ink@1"],
    ];
    for arguments in calls {
        assert!(example.json(arguments).is_object(), "{arguments:?}");
    }
}
