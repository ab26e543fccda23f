use crate::example::Example;

#[test]
fn every_command_prints_one_json_object_and_nothing_else() {
    let example = Example::new();
    let file = example.root().join("rows.csv").display().to_string();
    let id = crate::embedded::run(&example);
    let matrix = crate::embedded::matrix_file(&example);
    let coordinates = example.root().join("xy.npy").display().to_string();
    let picture = example.root().join("plot.svg").display().to_string();
    let calls: [&[&str]; 10] = [
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
    ];
    for arguments in calls {
        assert!(example.json(arguments).is_object(), "{arguments:?}");
    }
}
