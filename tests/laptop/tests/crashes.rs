//! The supervisor and Asterisk are killed at random moments: nothing is lost, nothing is doubled.

use laptop_tests::chance::Chance;
use laptop_tests::lab::Lab;
use laptop_tests::traffic::{MODEMS, Traffic, assert_sound};
use std::time::Duration;

const KILLS: usize = 15;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_killed_in_traffic_loses_and_doubles_nothing() {
    let mut chance = Chance::new();
    let mut lab = Lab::start().await.unwrap();
    let traffic = Traffic::start(&lab, &chance).await.unwrap();
    for _ in 0..KILLS {
        // Within the first second it brings its lines up, after that it works.
        tokio::time::sleep(chance.millis(2_500)).await;
        lab.kill_supervisor().await.unwrap();
        lab.start_supervisor().await.unwrap();
    }
    let count = traffic.end(&lab).await.unwrap();
    println!("{KILLS} kills: 0 lost, 0 doubled of {count:?}");
    let unknown = count.left.get("unknown").copied().unwrap_or(0);
    assert!(unknown <= KILLS * MODEMS.len(), "{count:?}");
    assert!(count.arrived > 100 && count.left.values().sum::<usize>() > 30, "{count:?}");
    assert_sound(lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_asterisk_is_back_soon_and_sms_do_not_notice() {
    let mut chance = Chance::new();
    let lab = Lab::start().await.unwrap();
    lab.wait_for_asterisk().await.unwrap();
    let traffic = Traffic::start(&lab, &chance).await.unwrap();
    for round in 1..=3 {
        let before = lab.kill_asterisk().unwrap();
        let is_noticed = || async { (lab.health_of("asterisk").await.ok()?["status"] != "ok").then_some(()) };
        lab.wait_for("health to show it", Duration::from_secs(5), is_noticed).await.unwrap();
        let is_back = || async { (lab.health_of("asterisk").await.ok()?["status"] == "ok").then_some(()) };
        lab.wait_for("Asterisk to be back", Duration::from_secs(15), is_back).await.unwrap();
        assert_ne!(lab.asterisk_pid().unwrap(), before);
        let proof = lab.health_of("asterisk").await.unwrap()["proof"].clone();
        assert!(proof.as_str().unwrap().contains(&format!("{round} times")), "{proof}");
        tokio::time::sleep(chance.millis(500)).await;
    }
    let count = traffic.end(&lab).await.unwrap();
    println!("3 kills of Asterisk: {count:?}");
    assert_eq!(count.left.get("unknown"), None, "{count:?}");
    assert_sound(lab).await;
}
