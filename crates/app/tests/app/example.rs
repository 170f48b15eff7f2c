//! The library's example that records decisions without an engine.

#[path = "../../../landscape-sql/examples/record_decisions.rs"]
#[expect(dead_code, reason = "an example has a main")]
mod record_decisions;

use elspeth_app::{DatabaseChoice, TrustChoice, VerifyChoice, VerifyStatus, verify};
use elspeth_testkit::Scratch;

#[tokio::test]
async fn what_the_example_records_is_sound() {
    let scratch = Scratch::new();
    let database = scratch.join("rec.db").display().to_string();
    record_decisions::desk(&database).await.unwrap();
    let of = DatabaseChoice::Location(database);
    let verified = std::thread::spawn(move || verify(&of, &VerifyChoice::All, &TrustChoice::default()));
    let verified = verified.join().expect("it does not panic").unwrap();
    let [found] = verified.as_slice() else { panic!("{verified:#?}") };
    assert_eq!(found.status, VerifyStatus::Ok, "{:#?}", found.checks);
}
