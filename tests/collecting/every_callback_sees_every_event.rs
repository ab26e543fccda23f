//! Every callback sees every event once and in order, whatever other callbacks do, and no error is
//! lost.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::{Arc, Mutex};

use emberlens::callback::{
    Callback, Callbacks, Collectors, ErrorPolicy, Event, Flow, Join, MetricsCollection,
    TrainingContext,
};
use emberlens::run::{Project, Status};
use emberlens::table::Columns;
use emberlens::{Error, ErrorKind, Result};

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down what it is told; does `then` at one event.
struct Recorder {
    name: &'static str,
    log: Log,
    at: Option<Event>,
    then: fn() -> Result<()>,
}

impl Recorder {
    fn new(name: &'static str, log: &Log) -> Self {
        Self {
            name,
            log: log.clone(),
            at: None,
            then: || Ok(()),
        }
    }

    fn at(mut self, event: Event, then: fn() -> Result<()>) -> Self {
        self.at = Some(event);
        self.then = then;
        self
    }

    fn note(&self, event: Event) -> Result<()> {
        self.log
            .lock()
            .unwrap()
            .push(format!("{} {}", self.name, event.name()));
        if self.at == Some(event) {
            (self.then)()
        } else {
            Ok(())
        }
    }
}

impl Callback<u8> for Recorder {
    fn on_training_start(&mut self, _: &TrainingContext<'_, u8>) -> Result<()> {
        self.note(Event::TrainingStart)
    }
    fn on_train_loader_end(&mut self, _: &TrainingContext<'_, u8>) -> Result<()> {
        self.note(Event::TrainLoaderEnd)
    }
    fn on_validation_loader_end(&mut self, _: &TrainingContext<'_, u8>) -> Result<()> {
        self.note(Event::ValidationLoaderEnd)
    }
    fn on_epoch_end(&mut self, _: &TrainingContext<'_, u8>) -> Result<()> {
        self.note(Event::EpochEnd)
    }
    fn on_interrupted(&mut self, _: &TrainingContext<'_, u8>) -> Result<()> {
        self.note(Event::Interrupted)
    }
    fn on_training_end(&mut self, _: &TrainingContext<'_, u8>) -> Result<()> {
        self.note(Event::TrainingEnd)
    }
    fn name(&self) -> std::borrow::Cow<'_, str> {
        self.name.into()
    }
}

fn expected(names: &[&str]) -> Vec<String> {
    let event = |event: Event| {
        names
            .iter()
            .map(move |name| format!("{name} {}", event.name()))
    };
    Event::ALL.into_iter().flat_map(event).collect()
}

fn deliver_all(callback: &mut impl Callback<u8>) {
    for event in Event::ALL {
        event
            .deliver(callback, &TrainingContext::new(0, 1))
            .unwrap();
    }
}

#[test]
fn every_kind_of_callback_passes_every_event_on() {
    let log = Log::default();
    let new = |name| Recorder::new(name, &log);
    let taken = || std::mem::take(&mut *log.lock().unwrap());
    let check = |kind: &str, names: &[&str]| assert_eq!(taken(), expected(names), "{kind}");

    deliver_all(&mut new("a"));
    check("plain", &["a"]);
    deliver_all(&mut (Box::new(new("a")) as Box<dyn Callback<u8>>));
    check("box", &["a"]);
    deliver_all(&mut &mut new("a"));
    check("mutable reference", &["a"]);
    deliver_all(&mut Some(new("a")));
    check("some", &["a"]);
    deliver_all(&mut None::<Recorder>);
    check("none", &[]);
    deliver_all(&mut vec![new("a"), new("b")]);
    check("vector", &["a", "b"]);
    deliver_all(&mut (new("a"),));
    check("1-tuple", &["a"]);
    deliver_all(&mut (new("a"), new("b")));
    check("2-tuple", &["a", "b"]);
    deliver_all(&mut (new("a"), new("b"), new("c")));
    check("3-tuple", &["a", "b", "c"]);
    deliver_all(&mut (new("a"), new("b"), new("c"), new("d")));
    check("4-tuple", &["a", "b", "c", "d"]);
    deliver_all(&mut (new("a"), new("b"), new("c"), new("d"), new("e")));
    check("5-tuple", &["a", "b", "c", "d", "e"]);
    deliver_all(&mut (new("a"), new("b"), new("c"), new("d"), new("e"), new("f")));
    check("6-tuple", &["a", "b", "c", "d", "e", "f"]);
    deliver_all(&mut (vec![Some(new("a")), None], Box::new((new("b"), new("c")))));
    check("nested", &["a", "b", "c"]);
}

#[test]
fn the_list_tells_every_callback_after_an_error_or_a_panic() {
    for event in Event::ALL {
        let log = Log::default();
        let mut callbacks = Callbacks::new()
            .with(Recorder::new("a", &log).at(event, || Err(Error::user("a is unwell"))))
            .with(vec![
                Recorder::new("b", &log).at(event, || panic!("b fell over")),
                Recorder::new("c", &log),
            ])
            .with(Recorder::new("d", &log));
        let mut stopped = false;
        for told in Event::ALL {
            let flow = callbacks.dispatch(told, &TrainingContext::new(0, 1));
            stopped |= told == event;
            assert_eq!(
                flow == Flow::Stop,
                stopped,
                "{event:?} failed, now {told:?}"
            );
        }
        assert_eq!(
            *log.lock().unwrap(),
            expected(&["a", "b", "c", "d"]),
            "{event:?}"
        );
        let texts: Vec<String> = callbacks.errors().iter().map(Error::chain).collect();
        let name = event.name();
        assert_eq!(
            texts,
            [
                format!("callback a failed in {name}: a is unwell"),
                format!("callback b failed in {name}: callback b panicked: b fell over"),
            ]
        );
        let error = callbacks.finish().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UserCode);
        assert!(
            texts.iter().all(|text| error.to_string().contains(text)),
            "{error}"
        );
    }
}

#[test]
fn an_error_that_is_carried_does_not_stop_but_comes_out_at_the_end() {
    let log = Log::default();
    let failing = Recorder::new("a", &log).at(Event::EpochEnd, || Err(Error::user("late")));
    let mut callbacks = Callbacks::new()
        .with(failing)
        .policy(ErrorPolicy::CarryToEnd);
    for event in Event::ALL {
        assert_eq!(
            callbacks.dispatch(event, &TrainingContext::new(0, 1)),
            Flow::Continue
        );
    }
    assert_eq!(
        callbacks.finish().unwrap_err().chain(),
        "callback a failed in on_epoch_end: late"
    );
}

#[test]
fn an_interruption_stops_under_either_policy_and_is_no_failure() {
    for policy in [ErrorPolicy::StopTraining, ErrorPolicy::CarryToEnd] {
        let interrupted = || {
            Err(Error::Interrupted {
                during: "a pass".into(),
                kept: "rows flushed before are kept",
            })
        };
        let log = Log::default();
        let mut callbacks = Callbacks::new()
            .with(Recorder::new("a", &log).at(Event::TrainLoaderEnd, interrupted))
            .policy(policy);
        let context = TrainingContext::new(0, 1);
        assert_eq!(callbacks.on_train_loader_end(&context), Flow::Stop);
        assert_eq!(callbacks.failure(), None);
        assert_eq!(
            callbacks.finish().unwrap_err().kind(),
            ErrorKind::Interrupted
        );
    }
}

fn collection(run: &emberlens::run::Run) -> MetricsCollection<u8> {
    MetricsCollection::new().run(run).split(
        "train",
        vec![1_i64, 2, 3],
        Join::none(),
        |items: Vec<i64>| Ok(items),
        |model: &u8, batch: &Vec<i64>| Ok(batch.len() as i64 + i64::from(*model)),
        Collectors::new().prediction(|batch: &Vec<i64>, _: &i64| {
            Ok(Columns::new().with("value", batch.clone()))
        }),
    )
}

#[test]
fn the_metrics_collection_answers_every_event() {
    let project = Project::open("memory://", "events").unwrap();
    let run = project.run("r").start().unwrap();
    let mut collection = collection(&run);
    let context = TrainingContext {
        model: Some(&4),
        ..TrainingContext::new(0, 1)
    };
    for event in Event::ALL {
        let told = TrainingContext {
            interruption: (event == Event::Interrupted).then_some("someone pressed Ctrl-C"),
            ..context
        };
        event.deliver(&mut collection, &told).unwrap();
        match event {
            Event::Interrupted | Event::TrainingEnd => {
                assert_eq!(
                    run.status(),
                    Status::Interrupted("someone pressed Ctrl-C".into())
                );
            }
            _ => assert_eq!(run.status(), Status::Running, "{event:?}"),
        }
    }
    assert_eq!(run.reader().unwrap().passes("default").len(), 1);
}

/// The status of a run after a training in which a callback told after the collection did `then`.
fn ended(event: Event, then: fn() -> Result<()>, grouped: bool) -> (Status, Option<Error>) {
    let project = Project::open("memory://", "events").unwrap();
    let run = project.run("r").start().unwrap();
    let log = Log::default();
    let other = Recorder::new("a", &log).at(event, then);
    let mut callbacks = match grouped {
        true => Callbacks::new().with((collection(&run), vec![other])),
        false => Callbacks::new().with(collection(&run)).with(other),
    };
    let context = TrainingContext {
        model: Some(&4),
        ..TrainingContext::new(0, 1)
    };
    for told in Event::ALL {
        if told != Event::Interrupted || event == Event::Interrupted {
            let _ = callbacks.dispatch(told, &context);
        }
    }
    (run.status(), callbacks.finish().err())
}

#[test]
fn the_failure_of_another_callback_ends_the_run_as_failed() {
    for event in Event::ALL {
        for grouped in [false, true] {
            let (status, error) = ended(event, || Err(Error::user("no licence")), grouped);
            let reason = format!("callback a failed in {}: no licence", event.name());
            assert_eq!(status, Status::Failed(reason.clone()));
            assert_eq!(error.unwrap().chain(), reason);
            let (status, _) = ended(event, || panic!("no licence"), grouped);
            assert!(matches!(status, Status::Failed(_)), "{event:?}: {status}");
        }
    }
    let (status, error) = ended(Event::EpochEnd, || Ok(()), false);
    assert_eq!(
        (status, error.map(|error| error.chain())),
        (Status::Completed, None)
    );
}

#[test]
fn the_reason_of_a_failed_run_has_the_first_error_and_that_of_the_training() {
    let reason = |callback: fn() -> Result<()>, training: &str| {
        let project = Project::open("memory://", "events").unwrap();
        let run = project.run("r").start().unwrap();
        let other = Recorder::new("a", &Log::default()).at(Event::EpochEnd, callback);
        let mut callbacks = Callbacks::new().with(collection(&run)).with(other);
        let context = TrainingContext {
            model: Some(&4),
            ..TrainingContext::new(0, 1)
        };
        let _ = callbacks.on_training_start(&context);
        let _ = callbacks.on_epoch_end(&context);
        let _ = callbacks.on_training_end(&TrainingContext {
            failure: Some(training),
            ..context
        });
        run.status().to_string()
    };
    let own = "callback a failed in on_epoch_end: no licence";
    let failing = || Err(Error::user("no licence"));
    for (text, expected) in [
        (
            reason(failing, "no data"),
            format!("failed ({own}; no data)"),
        ),
        (reason(failing, own), format!("failed ({own})")),
        (reason(|| Ok(()), "no data"), "failed (no data)".into()),
    ] {
        assert_eq!(text, expected);
    }
}

#[test]
fn the_stop_that_another_callback_asks_for_ends_the_run_as_interrupted() {
    let stop = || {
        Err(Error::Interrupted {
            during: "a walk".into(),
            kept: "the shoes are kept",
        })
    };
    for event in Event::ALL {
        for grouped in [false, true] {
            let (status, _) = ended(event, stop, grouped);
            assert!(
                matches!(status, Status::Interrupted(_)),
                "{event:?}: {status}"
            );
        }
    }
}

/// Writes down its close and what it was told then.
struct Closer(&'static str, Log, fn() -> Result<()>);

impl Callback<u8> for Closer {
    fn close(&mut self, context: &TrainingContext<'_, u8>) -> Result<()> {
        let failure = context.failure.unwrap_or("no failure");
        self.1
            .lock()
            .unwrap()
            .push(format!("{}: {failure}", self.0));
        (self.2)()
    }
    fn name(&self) -> std::borrow::Cow<'_, str> {
        self.0.into()
    }
}

#[test]
fn who_was_added_last_is_closed_first_and_its_failure_is_told_to_the_others() {
    let log = Log::default();
    let closer = |name| Closer(name, log.clone(), || Ok(()));
    let failing = Closer("d", log.clone(), || Err(Error::user("the lid is stuck")));
    let mut callbacks = Callbacks::new()
        .with(Box::new(closer("a")))
        .with((closer("b"), vec![Some(closer("c"))]))
        .with(failing);
    let _ = callbacks.on_training_end(&TrainingContext::new(0, 1));
    let reason = "callback d failed in on_training_end: the lid is stuck";
    let told = |name| format!("{name}: {reason}");
    let expected = ["d: no failure".into(), told("c"), told("b"), told("a")];
    assert_eq!(*log.lock().unwrap(), expected);
    assert_eq!(callbacks.finish().unwrap_err().chain(), reason);
}

#[test]
fn a_group_that_no_list_tells_fails_the_run_of_its_collection_too() {
    let project = Project::open("memory://", "events").unwrap();
    let run = project.run("r").start().unwrap();
    let other = Recorder::new("a", &Log::default())
        .at(Event::TrainingEnd, || Err(Error::user("no licence")));
    let mut group = (collection(&run), other);
    let context = TrainingContext {
        model: Some(&4),
        ..TrainingContext::new(0, 1)
    };
    group.on_training_start(&context).unwrap();
    let error = group.on_training_end(&context).unwrap_err();
    assert_eq!(run.status(), Status::Failed(error.chain()));
}

#[test]
fn a_collection_that_cannot_start_says_everything_that_is_wrong() {
    let project = Project::open("memory://", "events").unwrap();
    let run = project.run("r").start().unwrap();
    let mut wrong = collection(&run)
        .run_name("another")
        .project_name("elsewhere")
        .batch_size(0)
        .embeddings_dims(0)
        .predictions(false);
    let context = TrainingContext {
        model: Some(&4),
        ..TrainingContext::new(0, 1)
    };
    let text = wrong.on_training_start(&context).unwrap_err().to_string();
    for part in [
        "batch_size = 0",
        "embeddings_dims = 0",
        "none in split `train`",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut wrong = collection(&run)
        .run_name("another")
        .project_name("elsewhere");
    let text = wrong.on_training_start(&context).unwrap_err().to_string();
    for part in ["`another`", "`r`", "`elsewhere`", "`events`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
