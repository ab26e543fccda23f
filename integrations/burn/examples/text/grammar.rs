//! Sentences from a grammar: what the main clause is about is the label.
//!
//! Many sentences have a side clause about something else, in front or behind, so that counting words
//! is not enough: the network must see which clause is the main one.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::corpus::Sentence;
use crate::topics::{TOPICS, Topic};

const OPENINGS: [&str; 6] = [
    "my neighbour says that",
    "nobody expected that",
    "the papers report that",
    "as far as we know",
    "it turned out that",
    "everyone remembers how",
];
const JOINTS: [&str; 6] = ["while", "although", "before", "after", "because", "when"];
const TIMES: [&str; 7] = [
    "yesterday",
    "last winter",
    "once again",
    "on sunday",
    "this morning",
    "for the first time",
    "in the end",
];

/// The first `count` sentences of a seed; the same number gives the same sentence.
pub fn generate(count: usize, seed: u64) -> Vec<Sentence> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count).map(|_| sentence(&mut random)).collect()
}

fn sentence(random: &mut StdRng) -> Sentence {
    let label = random.random_range(0..TOPICS.len());
    let other = (label + random.random_range(1..TOPICS.len())) % TOPICS.len();
    let mut main = clause(random, &TOPICS[label]);
    if random.random_bool(0.25) {
        main = format!("{main} {}", pick(random, &TIMES));
    }
    if random.random_bool(0.2) {
        main = format!("{} {main}", pick(random, &OPENINGS));
    }
    let joint = pick(random, &JOINTS);
    let text = match random.random_range(0..10) {
        0..=2 => main,
        3 => format!("{main} and {}", clause(random, &TOPICS[label])),
        4..=6 => format!("{joint} {} , {main}", clause(random, &TOPICS[other])),
        _ => format!("{main} {joint} {}", clause(random, &TOPICS[other])),
    };
    Sentence::new(format!("{text} ."), label)
}

fn clause(random: &mut StdRng, topic: &Topic) -> String {
    let adjective = |random: &mut StdRng| match random.random_bool(0.4) {
        true => format!("{} ", pick(random, topic.adjectives)),
        false => String::new(),
    };
    let (first, second) = (adjective(random), adjective(random));
    let (subject, verb) = (pick(random, topic.subjects), pick(random, topic.verbs));
    let object = pick(random, topic.objects);
    let place = match random.random_bool(0.35) {
        true => format!(" {}", pick(random, topic.places)),
        false => String::new(),
    };
    format!("the {first}{subject} {verb} the {second}{object}{place}")
}

fn pick<'a>(random: &mut StdRng, from: &[&'a str]) -> &'a str {
    from[random.random_range(0..from.len())]
}
