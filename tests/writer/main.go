// The load writer and checker that the tests and the benchmark share.
//
//	writer write --endpoints URL[,URL] --log FILE    put unique keys until SIGTERM or SIGINT
//	writer check --endpoints URL,URL,... --log FILE  is every acknowledged key on every member?
//
// Each prints one JSON object to stdout. Exit codes: 0 good, 1 a promise of etcd was broken (or the
// cluster never answered), 2 wrong usage.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// record is one line of the log. Error is empty for an acknowledged write; a write with an error may
// or may not have happened, and its key is never used again.
type record struct {
	Key      string `json:"key"`
	Value    string `json:"value"`
	Revision int64  `json:"revision,omitempty"`
	StartNs  int64  `json:"start_ns"`
	EndNs    int64  `json:"end_ns"`
	Client   int    `json:"client"`
	Error    string `json:"error,omitempty"`
}

func main() {
	if len(os.Args) < 2 {
		fail(2, "usage: writer write|check --endpoints URL[,URL] --log FILE")
	}
	flags := flag.NewFlagSet("writer "+os.Args[1], flag.ExitOnError)
	endpoints := flags.String("endpoints", "", "client URLs, separated by commas")
	path := flags.String("log", "", "file of acknowledged and failed writes, one JSON object a line")
	var run func(context.Context, []string, string) (any, bool, error)
	switch os.Args[1] {
	case "write":
		var o writeOptions
		flags.IntVar(&o.clients, "clients", 4, "independent clients")
		flags.Float64Var(&o.rate, "rate", 250, "puts a second, all clients together")
		flags.DurationVar(&o.timeout, "timeout", 200*time.Millisecond, "a client's time-out")
		flags.DurationVar(&o.wait, "wait", time.Minute, "longest time to the first acknowledged write")
		flags.StringVar(&o.prefix, "prefix", "/writer/", "where the keys begin")
		run = o.run
	case "check":
		var o checkOptions
		flags.DurationVar(&o.wait, "wait", 10*time.Second, "longest time for members to catch up")
		run = o.run
	default:
		fail(2, "unknown command %q; known are write and check", os.Args[1])
	}
	_ = flags.Parse(os.Args[2:]) // ExitOnError: it does not return an error
	if *endpoints == "" || *path == "" || flags.NArg() > 0 {
		fail(2, "--endpoints and --log are needed, and nothing beside flags")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	report, good, err := run(ctx, strings.Split(*endpoints, ","), *path)
	if err != nil {
		fail(1, "%v", err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		fail(1, "%v", err)
	}
	if !good {
		os.Exit(1)
	}
}

func fail(code int, format string, values ...any) {
	fmt.Fprintf(os.Stderr, "writer: "+format+"\n", values...)
	os.Exit(code)
}

// connect makes a client that does not wait for its first connection: the cluster may not exist yet.
func connect(endpoints ...string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: endpoints,
		// 10 s is the least that gRPC allows. The time-out becomes TCP_USER_TIMEOUT, which breaks a
		// connection to a vanished pod after 1 s as soon as something has been sent.
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: time.Second,
		// gRPC's own values (1 s to 120 s between attempts, 20 s for one) measure gRPC, not etcd.
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 500 * time.Millisecond,
			},
			MinConnectTimeout: time.Second,
		})},
		Logger: zap.NewNop(), // every failure is in the log file and the summary already
	})
}
