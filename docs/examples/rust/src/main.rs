//! A Rust client of msgbus.v1, with tonic: publishes the arguments to the topic "greetings", then prints the topic from
//! its beginning, through lost connections and restarts of the node, until it has seen what it published.
//!
//!     cargo run -- http://127.0.0.1:50051 hello "good evening"

use std::time::Duration;

use tonic::Code;
use tonic::transport::{Channel, Endpoint};

pub mod msgbus {
    tonic::include_proto!("msgbus.v1");
}
use msgbus::msgbus_service_client::MsgbusServiceClient;
use msgbus::{MessageEnvelope, PublishRequest, SubscribeRequest};

type Client = MsgbusServiceClient<Channel>;

const TOPIC: &str = "greetings";

// #region follow
/// Hands on every message from `next` on, each once and in order, until `handle` says that it is enough.
async fn follow(
    client: &mut Client,
    mut next: u64,
    mut handle: impl FnMut(&MessageEnvelope) -> bool,
) -> Result<(), tonic::Status> {
    loop {
        match subscribe(client, &mut next, &mut handle).await {
            Err(status) if status.code() == Code::Unavailable || status.code() == Code::Unknown => {
                eprintln!("{}; trying again", status.message());
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            other => return other,
        }
    }
}

async fn subscribe(
    client: &mut Client,
    next: &mut u64,
    handle: &mut impl FnMut(&MessageEnvelope) -> bool,
) -> Result<(), tonic::Status> {
    let request = SubscribeRequest { topic: TOPIC.into(), from_head_id: *next, ..Default::default() };
    let mut stream = client.subscribe(request).await?.into_inner();
    while let Some(response) = stream.message().await? {
        let message = response.message.unwrap_or_default();
        // Keep this number beside what was made of the message, and begin there the next time.
        *next = message.head_id + 1;
        if !handle(&message) {
            return Ok(());
        }
    }
    Err(tonic::Status::unavailable("the node ended the subscription"))
}
// #endregion

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "http://127.0.0.1:50051".into());
    let channel = Endpoint::from_shared(url)?
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .connect_lazy();
    let mut client = MsgbusServiceClient::new(channel);

    let mut last = 1;
    for payload in arguments {
        // The answer comes when the message is on the disk.
        let mut request =
            tonic::Request::new(PublishRequest { topic: TOPIC.into(), payload: payload.into(), ..Default::default() });
        request.set_timeout(Duration::from_secs(10));
        last = client.publish(request).await?.into_inner().message.unwrap_or_default().head_id;
    }
    follow(&mut client, 1, |message| {
        println!("{}: {}", message.head_id, String::from_utf8_lossy(&message.payload));
        message.head_id < last
    })
    .await?;
    Ok(())
}
