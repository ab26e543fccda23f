//! One empty folder in each kind of store.

use std::sync::Arc;

use emberlens::storage::Location;
use emberlens::storage::object_store::memory::InMemory;
use emberlens_testkit::{BucketServer, Program, Server};

/// A folder, and what has to live as long as it.
pub struct Place {
    pub root: Location,
    /// Whether of writers at once one wins, always.
    pub is_atomic: bool,
    _server: Option<Server>,
    _folder: Option<tempfile::TempDir>,
}

impl Place {
    fn of(root: Location) -> Self {
        Self {
            root,
            is_atomic: true,
            _server: None,
            _folder: None,
        }
    }
}

pub fn memory() -> Option<Place> {
    Some(Place::of(Location::open("memory://runs").unwrap()))
}

pub fn local() -> Option<Place> {
    let folder = tempfile::tempdir().unwrap();
    let root = Location::open(&folder.path().join("runs").display().to_string()).unwrap();
    Some(Place {
        _folder: Some(folder),
        ..Place::of(root)
    })
}

pub fn brought() -> Option<Place> {
    let store = Arc::new(InMemory::new());
    Some(Place::of(Location::in_store(store, "runs").unwrap()))
}

pub fn in_process() -> Option<Place> {
    let server = BucketServer::sound().unwrap();
    let root = Location::open_with("s3://bucket/my runs/学習", server.settings()).unwrap();
    Some(Place::of(root))
}

/// A server that ignores every condition, written to by one process.
pub fn in_turn() -> Option<Place> {
    let server = BucketServer::start(|_| Some(emberlens_testkit::Flaw::IgnoresCondition));
    let root = Location::open_with("s3://bucket/runs", server.unwrap().settings()).unwrap();
    Some(Place::of(root.single_writer()))
}

/// It looks whether an object exists and writes it in two steps, so it loses a race now and then; what it
/// says of one request after the other is S3's.
pub fn moto() -> Option<Place> {
    let place = installed(Program::Moto)?;
    Some(Place {
        root: place.root.clone().assume_atomic_creates(),
        is_atomic: false,
        ..place
    })
}

pub fn azurite() -> Option<Place> {
    installed(Program::Azurite)
}

fn installed(program: Program) -> Option<Place> {
    let server = program.start().unwrap()?;
    let address = format!("{}/my runs/学習", server.address());
    let root = Location::open_with(&address, server.settings()).unwrap();
    Some(Place {
        _server: Some(server),
        ..Place::of(root)
    })
}

/// A test of that promise for every store; those that are not installed are skipped and say so.
macro_rules! in_every_store {
    ($promise:path) => {
        crate::places::in_every_store!($promise: memory local brought in_process in_turn moto azurite);
    };
    ($promise:path: $($store:ident)*) => {
        $(
            #[test]
            fn $store() {
                if let Some(place) = crate::places::$store() {
                    $promise(&place);
                }
            }
        )*
    };
}
pub(crate) use in_every_store;
