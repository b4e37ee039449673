package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

type writeOptions struct {
	clients       int
	rate          float64
	timeout, wait time.Duration
	prefix        string
}

// summary is what `write` prints. Times are Unix nanoseconds, to compare with the log and other programs.
type summary struct {
	Acknowledged int            `json:"acknowledged"`
	Failed       int            `json:"failed"`
	Errors       map[string]int `json:"errors"`
	FirstAckNs   int64          `json:"first_ack_ns"`
	LastAckNs    int64          `json:"last_ack_ns"`
	LongestGap   float64        `json:"longest_gap_seconds"`
	GapBeganNs   int64          `json:"longest_gap_began_ns"`
	Rate         float64        `json:"rate_per_second"`
	Reads        int            `json:"reads"`
	FailedReads  int            `json:"failed_reads"`
	ReadErrors   map[string]int `json:"read_errors"`
	StaleReads   []string       `json:"stale_reads"`
}

// journal collects what all clients see. Attempts before the first acknowledged write are neither
// logged nor counted: there is no cluster yet, so there is no outage to measure.
type journal struct {
	sync.Mutex
	file         *os.File
	summary      summary
	first, last  time.Time // of acknowledged writes; these carry the monotonic clock
	latest       record    // the newest acknowledged write, for the readers
	acknowledged chan struct{}
	failure      error
}

func (o *writeOptions) run(ctx context.Context, endpoints []string, path string) (any, bool, error) {
	if o.clients < 1 || o.rate <= 0 {
		return nil, false, fmt.Errorf("--clients %d and --rate %g must be above 0", o.clients, o.rate)
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, false, err
	}
	j := &journal{file: file, acknowledged: make(chan struct{})}
	j.summary.Errors, j.summary.ReadErrors, j.summary.StaleReads = map[string]int{}, map[string]int{}, []string{}
	prefix := o.prefix + rand.Text()[:8] + "/" // so that two runs never share a key
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	for number := range o.clients {
		client, err := connect(endpoints...)
		if err != nil {
			return nil, false, err
		}
		defer client.Close()
		group.Go(func() { o.write(ctx, client, number, prefix, j) })
		// Readers share the writers' connections: so they ask as many members as the writers do.
		group.Go(func() { o.read(ctx, client, j) })
	}
	var late error
	select {
	case <-ctx.Done():
	case <-j.acknowledged:
	case <-time.After(o.wait):
		late = fmt.Errorf("no write was acknowledged in %s by %v", o.wait, endpoints)
		stop()
	}
	<-ctx.Done()
	stopped := time.Now()
	group.Wait()
	return j.close(stopped, late)
}

// close ends the count. The time since the last acknowledged write is a gap too: an outage that
// lasts to the end must not go unseen.
func (j *journal) close(stopped time.Time, late error) (any, bool, error) {
	s := &j.summary
	if s.Acknowledged > 0 {
		j.gap(stopped)
		s.FirstAckNs, s.LastAckNs = j.first.UnixNano(), j.last.UnixNano()
		s.Rate = float64(s.Acknowledged) / max(j.last.Sub(j.first).Seconds(), 1e-9)
	}
	return s, len(s.StaleReads) == 0, errors.Join(late, j.failure, j.file.Close())
}

func (j *journal) gap(now time.Time) {
	if gap := now.Sub(j.last).Seconds(); gap > j.summary.LongestGap {
		j.summary.LongestGap, j.summary.GapBeganNs = gap, j.last.UnixNano()
	}
}

// add logs one finished write, straight to the file: a killed writer loses no line.
func (j *journal) add(r record) {
	j.Lock()
	defer j.Unlock()
	now := time.Now()
	r.EndNs = now.UnixNano()
	switch {
	case r.Error == "" && j.last.IsZero():
		close(j.acknowledged)
		j.first, j.last = now, now
	case r.Error == "":
		j.gap(now)
		j.last = now
	case j.last.IsZero():
		return
	}
	if r.Error == "" {
		j.latest = r
		j.summary.Acknowledged++
	} else {
		j.summary.Failed++
		j.summary.Errors[r.Error]++
	}
	if err := json.NewEncoder(j.file).Encode(r); err != nil && j.failure == nil {
		j.failure = err
	}
}

// write puts one new key at each tick, and never the same key twice.
func (o *writeOptions) write(ctx context.Context, client *clientv3.Client, number int, prefix string, j *journal) {
	ticker := time.NewTicker(time.Duration(float64(o.clients) / o.rate * float64(time.Second)))
	defer ticker.Stop()
	for count := 0; ; count++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		r := record{
			Key: fmt.Sprintf("%s%d/%08d", prefix, number, count), Value: rand.Text(),
			StartNs: time.Now().UnixNano(), Client: number,
		}
		// Not a child of ctx: a write in flight when the writer is told to stop gets its answer.
		attempt, cancel := context.WithTimeout(context.Background(), o.timeout)
		answer, err := client.Put(attempt, r.Key, r.Value)
		cancel()
		if err != nil {
			r.Error = err.Error()
		} else {
			r.Revision = answer.Header.Revision
		}
		j.add(r)
	}
}

// read asks, linearizably, for the newest write that was acknowledged before the read began.
func (o *writeOptions) read(ctx context.Context, client *clientv3.Client, j *journal) {
	ticker := time.NewTicker(time.Duration(5 * float64(o.clients) / o.rate * float64(time.Second)))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		j.Lock()
		wanted := j.latest
		j.Unlock()
		if wanted.Key == "" {
			continue
		}
		attempt, cancel := context.WithTimeout(context.Background(), o.timeout)
		answer, err := client.Get(attempt, wanted.Key)
		cancel()
		j.Lock()
		if err != nil {
			j.summary.FailedReads++
			j.summary.ReadErrors[err.Error()]++
		} else {
			j.summary.Reads++
			if problem := compare(wanted, answer.Kvs); problem != "" {
				j.summary.StaleReads = append(j.summary.StaleReads, problem)
			}
		}
		j.Unlock()
	}
}
