//! No error, no debugging text and no file repeats a credential, wherever it was given.

use std::time::Duration;

use emberlens::collect::{Silent, collect_metrics};
use emberlens::run::{At, Project};
use emberlens::storage::{Documents, Location};
use emberlens::table::{Columns, DeltaTable};
use emberlens_testkit::{BucketServer, Flaw};

/// Everything that must not show.
const SECRETS: [&str; 4] = [
    "wJalrXUtnFEMIbPxRfiCYEXAMPLEKEY",
    "FQoGZXIvYXdzEBYaSESSION",
    "hunter2",
    "Signature=",
];

fn assert_clean(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{text}");
    }
}

/// A bucket whose settings hold all the secrets there are, the password in the endpoint among them.
fn open(server: &BucketServer, path: &str) -> Location {
    let mut settings = server.settings();
    let endpoint = server.endpoint().replace("http://", "http://me:hunter2@");
    settings.push(("AWS_ENDPOINT_URL".into(), endpoint));
    settings.push(("AWS_SESSION_TOKEN".into(), SECRETS[1].into()));
    Location::open_with(&format!("s3://bucket/{path}"), settings).unwrap()
}

#[test]
fn an_answer_that_quotes_the_request_is_not_repeated() {
    let server = BucketServer::start(|_| Some(Flaw::QuotesRequest)).unwrap();
    let root = open(&server, "runs").assume_atomic_creates();
    let error = root.join("a").create("x").unwrap_err();
    assert!(
        error.chain().contains("SignatureDoesNotMatch"),
        "{}",
        error.chain()
    );
    assert_clean(&format!("{error:?} {}", error.chain()));

    // The Delta kernel has its own words for what the store says.
    let batch = Columns::new().with("x", vec![1_i64]);
    let batch = batch.into_batch("test").unwrap();
    let error = DeltaTable::create(root.join("t"), &batch.schema()).unwrap_err();
    assert!(
        error.chain().contains("SignatureDoesNotMatch"),
        "{}",
        error.chain()
    );
    assert_clean(&format!("{error:?} {}", error.chain()));

    let error = open(&server, "probed").join("a").create("x").unwrap_err();
    assert_clean(&format!("{error:?} {}", error.chain()));
}

#[test]
fn a_server_that_is_not_there_shows_its_address_without_the_password() {
    let server = BucketServer::sound().unwrap();
    let mut settings = server.settings();
    // The port of the discard service, where nobody listens.
    settings.push((
        "AWS_ENDPOINT_URL".into(),
        "http://me:hunter2@127.0.0.1:9".into(),
    ));
    let root = Location::open_with("s3://bucket/runs", settings).unwrap();
    let error = root.read().unwrap_err();
    assert_clean(&format!("{error:?} {}", error.chain()));
    assert!(error.chain().contains("127.0.0.1:9"), "{}", error.chain());
}

#[test]
fn locations_show_where_and_not_how() {
    let server = BucketServer::sound().unwrap();
    let root = open(&server, "runs");
    let shown = format!("{root} {root:?} {:?} {}", root.join("a"), root.url());
    assert!(shown.contains("s3://bucket/runs"), "{shown}");
    assert_clean(&shown);
    for address in [
        "s3://AKIAEXAMPLE:hunter2@bucket/a",
        "s3://AKIAEXAMPLE:hun/hunter2@bucket/a",
        "s3://bucket/a?X-Amz-Signature=hunter2",
        "az://container/a?sig=hunter2",
        "https://account.blob.core.windows.net/c?sig=hunter2",
        "gs://me:hunter2@bucket",
    ] {
        let error = Location::open(address).unwrap_err();
        assert_clean(&format!("{error:?} {error}"));
        let error = Project::open(address, "p").unwrap_err();
        assert_clean(&format!("{error:?} {error}"));
    }
}

/// A run's own arguments are shown too, where two of them contradict each other.
#[test]
fn a_table_that_is_named_twice_is_named_without_its_signature() {
    let project = Project::open("memory://", "p").unwrap();
    let run = project.run("r").start().unwrap();
    let items = vec![1_i64];
    let error = collect_metrics(&items)
        .collector(|batch: &Vec<i64>, (): &()| Ok(Columns::new().with("x", batch.clone())))
        .foreign_table_url("https://me:hunter2@host/table?sig=hunter2")
        .without_table()
        .into_run(&run)
        .unwrap_err();
    assert_clean(&format!("{error:?} {error}"));
    assert!(error.to_string().contains("https://host/table"), "{error}");
}

#[test]
fn files_hold_none() {
    let server = BucketServer::sound().unwrap();
    let root = open(&server, "runs");
    let project = Project::at(root, "p").unwrap();
    let table = project.create_table("t", Columns::new().with("x", vec![1_i64]));
    let run = project.run("r").input(&table.unwrap()).start().unwrap();
    run.log(&[("loss", 0.5)], At::epoch(0)).unwrap();
    let rows = Columns::new().with("example_id", vec![0_i64]);
    run.add_metrics("default", rows, None, None).unwrap();
    let signed = "https://me:hunter2@host/weights?X-Amz-Signature=hunter2";
    run.add_output("weights", signed).unwrap();
    run.complete().unwrap();
    let objects = server.objects();
    assert!(objects.len() > 10);
    let mut is_named = false;
    for (key, content) in &objects {
        let text = String::from_utf8_lossy(content);
        assert_clean(key);
        assert_clean(&text);
        is_named |= text.contains("https://host/weights");
    }
    assert!(is_named, "the output is named, without what opens it");
}

/// Addresses that lead out and hold what must not show, as another program may have written them.
const HOSTILE: [&str; 4] = [
    "s3://me:hunter2@bucket/part-0.parquet",
    "https://bucket/part-0.parquet?X-Amz-Signature=hunter2",
    "../s3://me:hun ter2/hunter2@bucket/part-0.parquet#hunter2",
    "az://a/s3://me:hunter2@bucket/part-0.parquet",
];

#[test]
fn a_path_of_a_log_is_refused_without_what_opens_it() {
    for path in HOSTILE {
        let project = Project::open("memory://", "p").unwrap();
        let run = project.run("r").start().unwrap();
        let rows = Columns::new().with("example_id", vec![0_i64]);
        run.add_metrics("default", rows, None, None).unwrap();
        run.complete().unwrap();
        let place = run.location().join("metrics/default");
        let version = DeltaTable::open(place.clone())
            .unwrap()
            .snapshot()
            .unwrap()
            .version();
        let entry = format!(
            "{{\"add\":{{\"path\":\"{path}\",\"partitionValues\":{{}},\"size\":1,\
             \"modificationTime\":0,\"dataChange\":true}}}}\n"
        );
        let log = place.join("_delta_log");
        assert!(
            log.join(&format!("{:020}.json", version + 1))
                .create(entry)
                .unwrap()
        );

        let reader = project.open_run("r").unwrap();
        let mut told = vec![
            reader.metrics("default").read().unwrap_err(),
            reader.compact(&Silent).unwrap_err(),
            DeltaTable::open(place)
                .unwrap()
                .snapshot()
                .unwrap()
                .read(None)
                .unwrap_err(),
        ];
        let verified = reader.verify(&Silent).unwrap();
        let vacuum = reader.vacuum(Duration::ZERO).unwrap();
        for problems in [verified.problems, vacuum.problems] {
            assert!(!problems.is_empty());
            told.extend(problems);
        }
        for error in &told {
            assert_clean(&format!("{error:?} {}", error.chain()));
        }
        let shown = told
            .iter()
            .any(|error| error.to_string().contains("://bucket/part-0.parquet"));
        assert!(shown || path.starts_with("az"), "{told:?}");
    }
}

#[test]
fn addresses_of_documents_are_shown_without_what_opens_them() {
    let project = Project::open("memory://", "p").unwrap();
    for (name, address) in [
        "s3://me:hunter2@bucket/x",
        "https://bucket/x?X-Amz-Signature=hunter2",
    ]
    .into_iter()
    .enumerate()
    {
        let run = project.run(&format!("r{name}")).start().unwrap();
        let run_documents = Documents::at(run.location().join("run"));
        for document in [
            serde_json::json!({"time_us": 1, "kind": "input", "name": "t", "url": address, "revision": 0}),
            serde_json::json!({"time_us": 1, "kind": "output", "name": "t", "url": address}),
            serde_json::json!({"time_us": 1, "kind": "pass_completed", "pass_id": "a", "stream": "s",
                "rows": 0, "finished_us": 1, "table": {"name": "t", "url": address, "revision": 0}}),
            serde_json::json!({"time_us": 1, "kind": "projected", "name": "e-pca", "column": "e",
                "stream": "s", "method": "pca", "dims": 2, "version": 0, "passes": 1, "rows": 0,
                "finished_us": 1, "models": [{"url": address, "table": address}]}),
        ] {
            run_documents.append(&document).unwrap();
        }
        drop(run);
        let reader = project.open_run(&format!("r{name}")).unwrap();
        assert_clean(&format!("{reader:?}"));
        let bare = reader.inputs()[0].url.clone();
        assert!(bare.ends_with("://bucket/x"), "{bare}");
        assert_eq!(reader.outputs()[0].url, bare);
        assert_eq!(reader.projections()[0].models[0].url, bare);
        for error in reader.verify(&Silent).unwrap().problems {
            assert_clean(&format!("{error:?} {}", error.chain()));
        }
    }
}

/// What keeps a document from being read is told, and not what it holds beside that.
#[test]
fn a_document_that_is_refused_is_quoted_without_what_opens_it() {
    for path in HOSTILE {
        for document in [
            serde_json::json!({"time_us": 1, "kind": "pass_completed", "pass_id": "a", "stream": "s",
                "rows": 1, "finished_us": 1,
                "files": [{"url": path, "size_bytes": 1, "rows": 1, "stream": "s"}]}),
            serde_json::json!({"time_us": 1, "kind": "projected", "name": path, "column": "e",
                "stream": "s", "method": "pca", "dims": 2, "version": 0, "passes": 1, "rows": 0,
                "finished_us": 1, "models": []}),
            serde_json::json!({"time_us": path.replace(' ', ""), "kind": "tag", "tag": "x"}),
        ] {
            let project = Project::open("memory://", "p").unwrap();
            let run = project.run("r").start().unwrap();
            Documents::at(run.location().join("run"))
                .append(&document)
                .unwrap();
            let error = project.open_run("r").unwrap_err();
            assert_clean(&format!("{error:?} {}", error.chain()));
            assert!(error.to_string().contains("://"), "{error}");
        }
    }
}
