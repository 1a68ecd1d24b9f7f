-- Generated from tables.py by `python -m kitaru.store.generate`.
CREATE TABLE artifacts (
	exec_id TEXT NOT NULL,
	call_id TEXT NOT NULL,
	ordinal BIGINT NOT NULL,
	name TEXT NOT NULL,
	kind TEXT NOT NULL,
	digest TEXT NOT NULL,
	codec TEXT NOT NULL,
	size BIGINT NOT NULL,
	type TEXT NOT NULL,
	media_type TEXT NOT NULL,
	data BLOB,
	preview TEXT,
	location TEXT NOT NULL,
	tags TEXT,
	PRIMARY KEY (exec_id, call_id, ordinal)
);
CREATE TABLE attempts (
	exec_id TEXT NOT NULL,
	call_id TEXT NOT NULL,
	attempt BIGINT NOT NULL,
	error TEXT NOT NULL,
	started_at DOUBLE,
	ended_at DOUBLE,
	PRIMARY KEY (exec_id, call_id, attempt)
);
CREATE TABLE blobs (
	digest TEXT NOT NULL,
	data BLOB NOT NULL,
	PRIMARY KEY (digest)
);
CREATE TABLE calls (
	exec_id TEXT NOT NULL,
	seq BIGINT NOT NULL,
	call_id TEXT NOT NULL,
	position BIGINT NOT NULL,
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	status TEXT NOT NULL,
	attempts BIGINT NOT NULL,
	inputs TEXT,
	code_digest TEXT,
	cache_key TEXT,
	output_digest TEXT,
	output_codec TEXT,
	output_size BIGINT,
	output_type TEXT,
	output_media_type TEXT,
	output_data BLOB,
	output_preview TEXT,
	output_location TEXT,
	error TEXT,
	started_at DOUBLE,
	ended_at DOUBLE,
	info TEXT,
	PRIMARY KEY (exec_id, seq),
	UNIQUE (exec_id, call_id)
);
CREATE INDEX calls_by_cache_key ON calls (cache_key) WHERE cache_key IS NOT NULL;
CREATE TABLE executions (
	exec_id TEXT NOT NULL,
	flow_name TEXT NOT NULL,
	flow_id TEXT NOT NULL,
	status TEXT NOT NULL,
	spec TEXT NOT NULL,
	inputs TEXT NOT NULL,
	epoch BIGINT NOT NULL,
	created_at DOUBLE NOT NULL,
	started_at DOUBLE,
	ended_at DOUBLE,
	result_digest TEXT,
	result_codec TEXT,
	result_size BIGINT,
	result_type TEXT,
	result_media_type TEXT,
	result_data BLOB,
	result_preview TEXT,
	result_location TEXT,
	failure TEXT,
	metadata TEXT,
	stack_name TEXT,
	idempotency_key TEXT,
	original_exec_id TEXT,
	parent_exec_id TEXT,
	parent_call_id TEXT,
	launch_id TEXT,
	launch_ordinal BIGINT,
	lease_owner TEXT,
	lease_until DOUBLE,
	ready BOOLEAN DEFAULT 0 NOT NULL,
	wake_at DOUBLE,
	cancel_requested BOOLEAN DEFAULT 0 NOT NULL,
	takeovers BIGINT DEFAULT 0 NOT NULL,
	counted_seq BIGINT DEFAULT 0 NOT NULL,
	active_seconds DOUBLE DEFAULT 0 NOT NULL,
	PRIMARY KEY (exec_id)
);
CREATE INDEX executions_by_flow ON executions (flow_name, created_at, exec_id);
CREATE UNIQUE INDEX executions_by_key ON executions (flow_name, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX executions_by_launch ON executions (launch_id, launch_ordinal) WHERE launch_id IS NOT NULL;
CREATE INDEX executions_by_parent ON executions (parent_exec_id) WHERE parent_exec_id IS NOT NULL;
CREATE INDEX executions_by_time ON executions (created_at, exec_id);
CREATE INDEX executions_due ON executions (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX executions_ready ON executions (created_at) WHERE ready;
CREATE TABLE intents (
	exec_id TEXT NOT NULL,
	call_id TEXT NOT NULL,
	attempt BIGINT NOT NULL,
	started_at DOUBLE NOT NULL,
	PRIMARY KEY (exec_id, call_id, attempt)
);
CREATE TABLE links (
	exec_id TEXT NOT NULL,
	call_id TEXT NOT NULL,
	kind TEXT NOT NULL,
	source_exec_id TEXT NOT NULL,
	source TEXT NOT NULL,
	PRIMARY KEY (exec_id, call_id, source)
);
CREATE INDEX links_by_source ON links (source_exec_id);
CREATE TABLE logs (
	log_id INTEGER NOT NULL,
	exec_id TEXT NOT NULL,
	call_id TEXT,
	attempt BIGINT NOT NULL,
	at DOUBLE NOT NULL,
	stream TEXT NOT NULL,
	level TEXT NOT NULL,
	logger TEXT,
	message TEXT NOT NULL,
	PRIMARY KEY (log_id)
);
CREATE INDEX logs_by_execution ON logs (exec_id, log_id);
CREATE TABLE memory_audit (
	audit_id INTEGER NOT NULL,
	operation TEXT NOT NULL,
	scope_type TEXT NOT NULL,
	scope TEXT NOT NULL,
	info TEXT NOT NULL,
	created_at DOUBLE NOT NULL,
	PRIMARY KEY (audit_id)
);
CREATE INDEX memory_audit_by_scope ON memory_audit (scope_type, scope, audit_id);
CREATE TABLE memory_keys (
	key_id INTEGER NOT NULL,
	scope_id BIGINT NOT NULL,
	name TEXT NOT NULL,
	version BIGINT NOT NULL,
	deleted BOOLEAN NOT NULL,
	PRIMARY KEY (key_id),
	UNIQUE (scope_id, name)
);
CREATE TABLE memory_scopes (
	scope_id INTEGER NOT NULL,
	scope_type TEXT NOT NULL,
	scope TEXT NOT NULL,
	seq BIGINT NOT NULL,
	PRIMARY KEY (scope_id),
	UNIQUE (scope_type, scope)
);
CREATE TABLE memory_versions (
	key_id BIGINT NOT NULL,
	version BIGINT NOT NULL,
	seq BIGINT NOT NULL,
	digest TEXT,
	codec TEXT,
	size BIGINT,
	type TEXT,
	media_type TEXT,
	data BLOB,
	preview TEXT,
	location TEXT,
	exec_id TEXT,
	call_id TEXT,
	flow_id TEXT,
	flow_name TEXT,
	created_at DOUBLE NOT NULL,
	purged BOOLEAN DEFAULT 0 NOT NULL,
	PRIMARY KEY (key_id, version)
);
CREATE INDEX memory_by_execution ON memory_versions (exec_id) WHERE exec_id IS NOT NULL;
CREATE TABLE models (
	alias TEXT NOT NULL,
	model TEXT NOT NULL,
	secret TEXT,
	fallback TEXT,
	base_url TEXT,
	is_default BOOLEAN DEFAULT 0 NOT NULL,
	created_at DOUBLE NOT NULL,
	PRIMARY KEY (alias)
);
CREATE TABLE schema_version (
	version_num TEXT NOT NULL,
	PRIMARY KEY (version_num)
);
CREATE TABLE secrets (
	name TEXT NOT NULL,
	token TEXT NOT NULL,
	key_id TEXT NOT NULL,
	keys TEXT NOT NULL,
	created_at DOUBLE NOT NULL,
	updated_at DOUBLE NOT NULL,
	PRIMARY KEY (name)
);
CREATE TABLE starts (
	exec_id TEXT NOT NULL,
	call_id TEXT NOT NULL,
	name TEXT NOT NULL,
	kind TEXT NOT NULL,
	attempt BIGINT NOT NULL,
	started_at DOUBLE NOT NULL,
	progress TEXT,
	PRIMARY KEY (exec_id, call_id)
);
CREATE TABLE subcalls (
	exec_id TEXT NOT NULL,
	child_id TEXT NOT NULL,
	call_id TEXT NOT NULL,
	attempt BIGINT NOT NULL,
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	status TEXT NOT NULL,
	parent_id TEXT,
	provider TEXT,
	model TEXT,
	input_tokens BIGINT,
	output_tokens BIGINT,
	cache_read_tokens BIGINT,
	cache_write_tokens BIGINT,
	reasoning_tokens BIGINT,
	cost_usd DOUBLE,
	started_at DOUBLE,
	ended_at DOUBLE,
	error TEXT,
	info TEXT,
	PRIMARY KEY (exec_id, child_id)
);
CREATE TABLE waits (
	exec_id TEXT NOT NULL,
	call_id TEXT NOT NULL,
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	question TEXT,
	schema TEXT,
	metadata TEXT,
	created_at DOUBLE NOT NULL,
	due_at DOUBLE,
	child_exec_id TEXT,
	status TEXT NOT NULL,
	answer_digest TEXT,
	answer_codec TEXT,
	answer_size BIGINT,
	answer_type TEXT,
	answer_media_type TEXT,
	answer_data BLOB,
	answer_preview TEXT,
	answer_location TEXT,
	settled_at DOUBLE,
	settled_by TEXT,
	PRIMARY KEY (exec_id, call_id)
);
CREATE INDEX waits_on_children ON waits (child_exec_id) WHERE child_exec_id IS NOT NULL;
CREATE INDEX waits_open ON waits (created_at) WHERE status = 'pending' AND kind = 'input';
CREATE VIRTUAL TABLE memory_text USING fts5(body);
INSERT INTO schema_version (version_num) VALUES ('0004');
