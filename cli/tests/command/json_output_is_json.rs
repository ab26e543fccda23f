use crate::example::Example;

#[test]
fn every_command_prints_one_json_object_and_nothing_else() {
    let example = Example::new();
    let file = example.root().join("rows.csv").display().to_string();
    let calls: [&[&str]; 4] = [
        &["ls"],
        &["show", "cnn"],
        &["top", "cnn", "--by", "loss", "--epoch", "0"],
        &["export", "cnn", "-o", &file],
    ];
    for arguments in calls {
        assert!(example.json(arguments).is_object(), "{arguments:?}");
    }
}
