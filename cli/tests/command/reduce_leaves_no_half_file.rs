use std::fs;

use crate::embedded::{matrix_file, npy};
use crate::example::{Example, stderr};

#[test]
fn a_file_is_replaced_only_by_force() {
    let example = Example::new();
    let input = matrix_file(&example);
    let out = example.root().join("xy.npy");
    fs::write(&out, "mine").unwrap();
    let name = out.display().to_string();
    let call = ["reduce", &input, "--method", "pca", "-o", &name];
    let output = example.emberlens(&call);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--force"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&out).unwrap(), "mine");
    example.text(&[&call[..], &["--force"]].concat());
    assert!(fs::read(&out).unwrap().starts_with(b"\x93NUMPY"));
}

#[test]
fn a_failure_leaves_nothing_behind() {
    let example = Example::new();
    let folder = example.root().join("out");
    fs::create_dir(&folder).unwrap();
    let input = example.root().join("nan.npy");
    let values = [0.0_f32, 1.0, f32::NAN, 3.0].map(f32::to_le_bytes).concat();
    npy(&input, "<f4", false, [2, 2], &values);
    for name in ["xy.npy", "xy.parquet"] {
        let out = folder.join(name).display().to_string();
        let output = example.emberlens(&[
            "reduce",
            &input.display().to_string(),
            "--method",
            "pca",
            "-o",
            &out,
        ]);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            stderr(&output).contains("row 1, column 0"),
            "{}",
            stderr(&output)
        );
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn a_measure_that_fails_takes_no_result_with_it() {
    let example = Example::new();
    let [input, out, model] = ["two.npy", "xy.npy", "m.bin"].map(|name| example.root().join(name));
    let values = [0.0_f32, 1.0, 2.0, 3.0].map(f32::to_le_bytes).concat();
    npy(&input, "<f4", false, [2, 2], &values);
    let [input, out, model] = [input, out, model].map(|path| path.display().to_string());
    let measure = ["reduce", &input, "--method", "pca", "--quality"];
    let kept = [&measure[..], &["-o", &out, "--save", &model, "--json"]].concat();
    let output = example.emberlens(&kept);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("the quality was not measured"));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["quality"].is_null());
    assert!(fs::exists(&out).unwrap() && fs::exists(&model).unwrap());
    // Nothing else was asked for.
    let output = example.emberlens(&measure);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("2 x 2"), "{}", stderr(&output));
}

#[test]
fn one_file_is_not_written_twice_whatever_its_spelling() {
    let example = Example::new();
    let input = matrix_file(&example);
    fs::create_dir(example.root().join("o")).unwrap();
    let [plain, dotted] = ["o/m.npy", "o/../o/./m.npy"].map(|name| example.root().join(name));
    let [plain, dotted] = [plain, dotted].map(|path| path.display().to_string());
    let labels = example.root().join("y.npy");
    npy(&labels, "<i2", false, [12, 1], &[0; 24]);
    let labels = labels.display().to_string();
    for call in [
        ["-o", &plain, "--save", &dotted, "--force"],
        ["-o", &input, "--save", &dotted, "--force"],
        ["--quality", "-o", &labels, "--labels", &labels],
    ] {
        let call = [&["reduce", &input, "--method", "pca"][..], &call].concat();
        let output = example.emberlens(&call);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("name one file"));
    }
    assert!(!fs::exists(&plain).unwrap());
    assert!(fs::read(&input).unwrap().starts_with(b"\x93NUMPY"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_with_130_and_leaves_nothing_behind() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    let example = Example::new();
    let folder = example.root().join("out");
    fs::create_dir(&folder).unwrap();
    // Far more work than the test waits for.
    let input = example.root().join("large.npy");
    let mut state = 1_u32;
    let values: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32
    })
    .take(20_000 * 32)
    .flat_map(f32::to_le_bytes)
    .collect();
    npy(&input, "<f4", false, [20_000, 32], &values);
    let out = folder.join("xy.npy").display().to_string();
    let child = example
        .command(&["reduce", &input.display().to_string(), "-o", &out])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let sent = Instant::now();
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("interrupted"),
        "{}",
        stderr(&output)
    );
    assert!(output.stdout.is_empty() && sent.elapsed() < Duration::from_secs(60));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}
