package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

type checkOptions struct {
	wait time.Duration
}

// member is what one endpoint says of itself, without asking the others. IDs are hexadecimal, as in etcdctl.
type member struct {
	Endpoint        string `json:"endpoint"`
	MemberID        string `json:"member_id"`
	ClusterID       string `json:"cluster_id"`
	Leader          string `json:"leader"`
	Term            uint64 `json:"term"`
	Learner         bool   `json:"learner"`
	Keys            int    `json:"keys"`
	Hash            uint32 `json:"hash"`
	CompactRevision int64  `json:"compact_revision"`
}

// listed is one entry of the membership list.
type listed struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	PeerURLs []string `json:"peer_urls"`
	Learner  bool     `json:"learner"`
}

type report struct {
	Acknowledged int      `json:"acknowledged"`
	Revision     int64    `json:"revision"`
	Members      []member `json:"members"`
	List         []listed `json:"membership"`
	Missing      int      `json:"missing"`
	Problems     []string `json:"problems"`
}

func (r *report) problem(format string, values ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, values...))
}

// compare tells how the stored key differs from the acknowledged write; "" if it does not.
func compare(wanted record, stored []*mvccpb.KeyValue) string {
	if len(stored) == 0 {
		return fmt.Sprintf("%s, acknowledged at revision %d, is missing", wanted.Key, wanted.Revision)
	}
	if found := stored[0]; string(found.Value) != wanted.Value || found.ModRevision != wanted.Revision {
		return fmt.Sprintf("%s is %q at revision %d, acknowledged was %q at revision %d",
			wanted.Key, found.Value, found.ModRevision, wanted.Value, wanted.Revision)
	}
	return ""
}

// run asks again until nothing is wrong or the time is up: members may be catching up or electing. A
// missing key is the end at once: at a fixed revision nothing can bring it back.
func (o *checkOptions) run(ctx context.Context, endpoints []string, path string) (any, bool, error) {
	written, err := acknowledged(path)
	if err != nil {
		return nil, false, err
	}
	for began := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		r := &report{Acknowledged: len(written), Members: []member{}, List: []listed{}, Problems: []string{}}
		if err := r.current(ctx, endpoints); err != nil {
			r.problem("no linearizable answer from %v: %v", endpoints, err)
		} else {
			for _, endpoint := range endpoints {
				if err := r.ask(ctx, endpoint, written); err != nil {
					r.problem("%s at revision %d: %v", endpoint, r.Revision, err)
				}
			}
			r.agree(len(endpoints))
		}
		if len(r.Problems) == 0 || r.Missing > 0 || ctx.Err() != nil || time.Since(began) > o.wait {
			return r, len(r.Problems) == 0, nil
		}
	}
}

// acknowledged reads the log. A line that is cut short is the last one of a killed writer: its write
// was acknowledged to nobody.
func acknowledged(path string) ([]record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var written []record
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var r record
		if json.Unmarshal(lines.Bytes(), &r) == nil && r.Error == "" {
			written = append(written, r)
		}
	}
	if len(written) == 0 {
		return nil, fmt.Errorf("%s holds no acknowledged write: there is nothing to check", path)
	}
	return written, lines.Err()
}

// current sets the revision at which all members are compared, and the membership list.
func (r *report) current(ctx context.Context, endpoints []string) error {
	client, err := connect(endpoints...)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	answer, err := client.Get(ctx, "/")
	if err != nil {
		return err
	}
	list, err := client.MemberList(ctx)
	if err != nil {
		return err
	}
	for _, m := range list.Members {
		r.List = append(r.List, listed{fmt.Sprintf("%x", m.ID), m.Name, m.PeerURLs, m.IsLearner})
	}
	r.Revision = answer.Header.Revision
	return nil
}

// ask compares one member's own copy, at the common revision, with the log.
func (r *report) ask(ctx context.Context, endpoint string, written []record) error {
	client, err := connect(endpoint)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	hash, err := client.HashKV(ctx, endpoint, r.Revision)
	if err != nil {
		return err
	}
	status, err := client.Status(ctx, endpoint)
	if err != nil {
		return err
	}
	stored, err := local(ctx, client, written, r.Revision)
	if err != nil {
		return err
	}
	for _, wanted := range written {
		if problem := compare(wanted, stored[wanted.Key]); problem != "" {
			if r.Missing++; r.Missing <= 10 { // the first few tell enough
				r.problem("%s: %s", endpoint, problem)
			}
		}
	}
	for _, alarm := range status.Errors {
		r.problem("%s reports: %s", endpoint, alarm)
	}
	r.Members = append(r.Members, member{
		endpoint, fmt.Sprintf("%x", status.Header.MemberId), fmt.Sprintf("%x", status.Header.ClusterId),
		fmt.Sprintf("%x", status.Leader), status.RaftTerm, status.IsLearner, len(stored), hash.Hash, hash.CompactRevision,
	})
	return nil
}

// local reads the range that holds all written keys from this member alone, in pages.
func local(ctx context.Context, client *clientv3.Client, written []record, revision int64) (map[string][]*mvccpb.KeyValue, error) {
	from, last := written[0].Key, written[0].Key
	for _, w := range written {
		from, last = min(from, w.Key), max(last, w.Key)
	}
	stored := map[string][]*mvccpb.KeyValue{}
	for {
		page, err := client.Get(ctx, from, clientv3.WithRange(last+"\x00"), clientv3.WithSerializable(),
			clientv3.WithRev(revision), clientv3.WithLimit(10000))
		if err != nil {
			return nil, err
		}
		for _, kv := range page.Kvs {
			stored[string(kv.Key)] = []*mvccpb.KeyValue{kv}
			from = string(kv.Key) + "\x00"
		}
		if !page.More {
			return stored, nil
		}
	}
}

// agree compares the members with each other and with the list.
func (r *report) agree(endpoints int) {
	for _, m := range r.List {
		if m.Learner {
			r.problem("member %s %s is a learner", m.ID, m.Name)
		}
	}
	if len(r.List) != endpoints {
		r.problem("the list has %d members, %d endpoints were given", len(r.List), endpoints)
	}
	for position, m := range r.Members {
		first := r.Members[0]
		if m.ClusterID != first.ClusterID || m.Leader != first.Leader || m.Term != first.Term ||
			m.Hash != first.Hash || m.CompactRevision != first.CompactRevision {
			r.problem("%s and %s differ: %+v, %+v", first.Endpoint, m.Endpoint, first, m)
		}
		if m.Leader == "0" {
			r.problem("%s knows no leader", m.Endpoint)
		}
		for _, other := range r.Members[:position] {
			if other.MemberID == m.MemberID {
				r.problem("%s and %s are the same member %s", other.Endpoint, m.Endpoint, m.MemberID)
			}
		}
	}
}
