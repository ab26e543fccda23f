//! Credentials and endpoint come from the environment, and a single writer may be declared there.

use std::process::{Command, Output};

use emberlens::storage::Location;
use emberlens_testkit::{BucketServer, Flaw, test_name};

const CHILD: &str = "EMBERLENS_TEST_CHILD";

/// Runs one of the tests below in a process that has these variables and no others of its kind.
fn child(test: &str, variables: &[(String, String)]) -> Output {
    let name = test_name(module_path!(), test);
    let known = std::env::vars().map(|(name, _)| name);
    let others = known.filter(|name| name.starts_with("AWS_") || name.starts_with("EMBERLENS_"));
    let mut command = Command::new(std::env::current_exe().unwrap());
    for other in others {
        command.env_remove(other);
    }
    command
        .args(["--exact", &name, "--nocapture"])
        .envs(variables.iter().cloned())
        .env(CHILD, "1")
        .output()
        .unwrap()
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

#[test]
fn a_bucket_is_found_by_the_environment() {
    if is_child() {
        let root = Location::open("s3://bucket/runs").unwrap();
        root.join("a").create("from the child").unwrap();
        return;
    }
    let server = BucketServer::sound().unwrap();
    let output = child("a_bucket_is_found_by_the_environment", &server.settings());
    assert!(output.status.success(), "{output:?}");
    let objects = server.objects();
    assert_eq!(objects["runs/a"], b"from the child");
}

#[test]
fn a_single_writer_is_declared_in_the_environment() {
    if is_child() {
        let root = Location::open("s3://bucket/runs").unwrap();
        assert!(root.join("a").create("first").unwrap());
        assert!(!root.join("a").create("second").unwrap());
        return;
    }
    let server = BucketServer::start(|_| Some(Flaw::IgnoresCondition)).unwrap();
    let mut variables = server.settings();
    let run = |variables: &[(String, String)]| {
        child("a_single_writer_is_declared_in_the_environment", variables)
    };
    assert!(
        !run(&variables).status.success(),
        "it is refused unless declared"
    );
    variables.push(("EMBERLENS_SINGLE_WRITER".into(), "1".into()));
    let output = run(&variables);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(server.objects()["runs/a"], b"first");
    variables.push(("EMBERLENS_SINGLE_WRITER".into(), "perhaps".into()));
    assert!(
        !run(&variables).status.success(),
        "what is neither yes nor no is refused"
    );
}
