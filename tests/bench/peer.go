// What the benchmark of background delivery compares with: a sender built the obvious way, 64
// goroutines that render an event with encoding/json and post it with net/http.
//
//	go run peer.go slack|custom URL COUNT
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

type text struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type block struct {
	Type   string `json:"type"`
	Text   *text  `json:"text,omitempty"`
	Fields []text `json:"fields,omitempty"`
}

type attachment struct {
	Color  string  `json:"color"`
	Blocks []block `json:"blocks"`
}

type slackMessage struct {
	Text        string       `json:"text"`
	Attachments []attachment `json:"attachments"`
}

type customMessage struct {
	Level        string         `json:"level"`
	ActivityType string         `json:"activity_type"`
	Title        string         `json:"title"`
	Description  string         `json:"description"`
	Link         string         `json:"link"`
	CreatorID    int64          `json:"creator_id"`
	CreatorName  string         `json:"creator_name"`
	CreatedTs    int64          `json:"created_ts"`
	Issue        map[string]any `json:"issue"`
	Project      map[string]any `json:"project"`
	Task         map[string]any `json:"task"`
}

const description = "Orders are looked up by customer all day long, and the table is scanned each " +
	"time. This adds the index that the query planner has been asking for since the spring."

func detail(n int) string {
	return fmt.Sprintf("ERROR: could not create unique index \"orders_customer_idx\" (SQLSTATE "+
		"23505), attempt %d: Key (customer_id)=(%d) is duplicated. The statement was rolled back.",
		n, n*7)
}

func slack(n int) any {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	name := fmt.Sprintf("Add index to orders, take %d", n)
	field := func(label, value string) text {
		return text{"mrkdwn", "*" + label + "*\n" + escape(value)}
	}
	return slackMessage{
		Text: "*<https://bb.example.com/projects/shop/issues/101|Task failed - Create index>*",
		Attachments: []attachment{{Color: "#DC2626", Blocks: []block{
			{Type: "section", Fields: []text{field("Project", "Shop"), field("Issue", name)}},
			{Type: "section", Text: &text{"mrkdwn", "*Issue description*\n" + escape(description)}},
			{Type: "section", Fields: []text{field("Task", "Create index on prod.orders"),
				field("Status", "FAILED")}},
			{Type: "section", Text: &text{"mrkdwn", "*Result detail*\n" + escape(detail(n))}},
			{Type: "section", Text: &text{"mrkdwn", "By: Alice Martin"}},
		}}},
	}
}

func custom(n int) any {
	return customMessage{
		Level: "ERROR", ActivityType: "bb.pipeline.task.status.update",
		Title: "Task failed - Create index on prod.orders",
		Link:  "https://bb.example.com/projects/shop/issues/101",
		CreatorID: 42, CreatorName: "Alice Martin", CreatedTs: 1700000000,
		Issue: map[string]any{"id": n, "name": fmt.Sprintf("Add index to orders, take %d", n),
			"status": "OPEN", "type": "bb.issue.database.schema.update", "description": description},
		Project: map[string]any{"id": 7, "name": "Shop"},
		Task: map[string]any{"id": 3, "name": "Create index on prod.orders", "status": "FAILED",
			"old_status": "RUNNING", "detail": detail(n)},
	}
}

func post(client *http.Client, url string, message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	response, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != 200 {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return err
}

func main() {
	runtime.GOMAXPROCS(1)
	count, _ := strconv.Atoi(os.Args[3])
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	client := &http.Client{Transport: transport}
	render := custom
	if os.Args[1] == "slack" {
		render = slack
	}
	var workers sync.WaitGroup
	for w := 0; w < 64; w++ {
		workers.Add(1)
		go func(w int) {
			defer workers.Done()
			for n := w; n < count; n += 64 {
				if err := post(client, fmt.Sprintf("%s/%d", os.Args[2], w), render(n)); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}
		}(w)
	}
	workers.Wait()
}
