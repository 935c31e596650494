// A Go client of msgbus.v1: publishes the arguments to the topic "greetings", then follows the topic from its beginning,
// through lost connections and restarts of the node, until it has seen as many messages as it was told to.
//
//	go run . -count 2 hello "good evening"
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	msgbus "example.org/millrace-clients/gen/msgbus/v1"
)

const topic = "greetings"

// #region connect
func connect(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		// A node that is gone without a word is noticed.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
	)
}

// #endregion

// #region publish
func publish(client msgbus.MsgbusServiceClient, payload string) error {
	// The answer comes when the message is on the disk. After DEADLINE_EXCEEDED or UNAVAILABLE it may be there or not.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := client.Publish(ctx, &msgbus.PublishRequest{Topic: topic, Payload: []byte(payload)})
	return err
}

// #endregion

// #region follow
// follow hands on every message from next on, each once and in order, until handle says that it is enough.
func follow(client msgbus.MsgbusServiceClient, next uint64, handle func(*msgbus.MessageEnvelope) bool) error {
	for {
		err := subscribe(client, &next, handle)
		if err == nil {
			return nil
		}
		if status.Code(err) != codes.Unavailable {
			return err
		}
		log.Printf("%v; trying again", err)
		time.Sleep(time.Second)
	}
}

func subscribe(client msgbus.MsgbusServiceClient, next *uint64, handle func(*msgbus.MessageEnvelope) bool) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := client.Subscribe(ctx, &msgbus.SubscribeRequest{Topic: topic, FromHeadId: *next})
	if err != nil {
		return err
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		message := response.GetMessage()
		// Keep this number beside what was made of the message, and begin there the next time.
		*next = message.GetHeadId() + 1
		if !handle(message) {
			return nil
		}
	}
}

// #endregion

func main() {
	address := flag.String("address", "127.0.0.1:50051", "where the node listens")
	count := flag.Uint64("count", 1, "messages to wait for")
	flag.Parse()

	connection, err := connect(*address)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	client := msgbus.NewMsgbusServiceClient(connection)

	for _, payload := range flag.Args() {
		if err := publish(client, payload); err != nil {
			log.Fatal(err)
		}
	}
	err = follow(client, 1, func(message *msgbus.MessageEnvelope) bool {
		fmt.Printf("%d: %s\n", message.GetHeadId(), message.GetPayload())
		return message.GetHeadId() < *count
	})
	if err != nil {
		log.Fatal(err)
	}
}
