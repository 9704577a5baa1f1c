BEGIN TRANSACTION;
CREATE TABLE audits (
	scope VARCHAR(12) NOT NULL, 
	at_us BIGINT NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY (scope)
);
INSERT INTO "audits" VALUES('SCOPE-ID',1795878475410415,'{"totals": [3195, 36864, 6], "by_root": [["ROOT-ID", 3195, 36864, 6]], "by_run": [["ROOT-ID", "good", 2130, 20480, 4], ["ROOT-ID", "bad", 1065, 12288, 2], ["ROOT-ID", null, 0, 4096, 0]], "by_format": [["tf-bundle", 3195, 24576, 6], [null, 0, 12288, 0]], "by_contents": [["weights_and_optimizer", 3195, 24576, 6], [null, 0, 12288, 0]], "by_kind": [["checkpoint_rest", 3015, 23194, 6], ["folders", 0, 12288, 0], ["optimizer", 108, 829, 0], ["weights", 72, 553, 0]], "by_age": [["year", 3195, 24576, 6], ["day", 0, 12288, 0]], "problems": [], "quarantines": []}');
CREATE TABLE checkpoints (
	id INTEGER NOT NULL, 
	root VARCHAR(12) NOT NULL, 
	run TEXT NOT NULL, 
	path TEXT NOT NULL, 
	folder TEXT NOT NULL, 
	series VARCHAR(12) NOT NULL, 
	stem TEXT NOT NULL, 
	fingerprint VARCHAR(32), 
	format VARCHAR(20) NOT NULL, 
	contents VARCHAR(24) NOT NULL, 
	has_optimizer BOOLEAN NOT NULL, 
	step BIGINT, 
	epoch BIGINT, 
	save_counter BIGINT, 
	saved_at_us BIGINT NOT NULL, 
	saved_at_source VARCHAR(12) NOT NULL, 
	bytes BIGINT NOT NULL, 
	file_count INTEGER NOT NULL, 
	variables INTEGER, 
	parameters BIGINT, 
	restorable BOOLEAN NOT NULL, 
	health VARCHAR(8) NOT NULL, 
	attempt INTEGER NOT NULL, 
	is_latest BOOLEAN NOT NULL, 
	is_latest_restorable BOOLEAN NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "checkpoints" VALUES(1,'ROOT-ID','good','good/ckpt-1','good','1a5447a53776','ckpt-#','f20d5d56bcc6120df548c163c12493f4','tf-bundle','weights_and_optimizer',1,1,NULL,2,1769851860000000,'mtime',1065,2,5,6,1,'ok',1,0,0,'{"files":[["ckpt-1.index",492,1769851860000000000,2301963,65024,1,4096],["ckpt-1.data-00000-of-00001",573,1769851860000000000,2301964,65024,1,4096]],"facts":[null,true,false,[1,"optimizer/iter"],null,null,[2,"save_counter"],null,5,6,[24,36,8],"f20d5d56bcc6120df548c163c12493f4",[[0,"ckpt-1.data-00000-of-00001",573,573]],true,null,null,null]}');
INSERT INTO "checkpoints" VALUES(2,'ROOT-ID','bad','bad/ckpt-1','bad','edc484210dc7','ckpt-#','f20d5d56bcc6120df548c163c12493f4','tf-bundle','weights_and_optimizer',1,1,NULL,2,1769851860000000,'mtime',1065,2,5,6,0,'error',1,1,0,'{"files":[["ckpt-1.index",492,1769851860000000000,2770098,65024,1,4096],["ckpt-1.data-00000-of-00001",573,1769851860000000000,2770155,65024,1,4096]],"facts":[null,true,false,[1,"optimizer/iter"],null,null,[2,"save_counter"],null,5,6,[24,36,8],"f20d5d56bcc6120df548c163c12493f4",[[0,"ckpt-1.data-00000-of-00001",573,573]],true,null,null,null]}');
INSERT INTO "checkpoints" VALUES(3,'ROOT-ID','good','good/ckpt-2','good','1a5447a53776','ckpt-#','f20d5d56bcc6120df548c163c12493f4','tf-bundle','weights_and_optimizer',1,2,NULL,2,1769851920000000,'mtime',1065,2,5,6,1,'ok',1,1,1,'{"files":[["ckpt-2.index",492,1769851920000000000,2301966,65024,1,4096],["ckpt-2.data-00000-of-00001",573,1769851920000000000,2301967,65024,1,4096]],"facts":[null,true,false,[2,"optimizer/iter"],null,null,[2,"save_counter"],null,5,6,[24,36,8],"f20d5d56bcc6120df548c163c12493f4",[[0,"ckpt-2.data-00000-of-00001",573,573]],true,null,null,null]}');
CREATE TABLE findings (
	id INTEGER NOT NULL, 
	root VARCHAR(12) NOT NULL, 
	run TEXT NOT NULL, 
	path TEXT NOT NULL, 
	rule VARCHAR(40) NOT NULL, 
	severity VARCHAR(8) NOT NULL, 
	reason TEXT NOT NULL, 
	action TEXT NOT NULL, 
	accepted TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "findings" VALUES(1,'ROOT-ID','good','good','no-state','info','2 intact checkpoints, and there is no file `checkpoint` here.','tf.train.latest_checkpoint will find nothing here: resume by a manifest, or let a state file be written.',NULL);
INSERT INTO "findings" VALUES(2,'ROOT-ID','good','good','stale-run','info','No file in it has changed since 2026-01-31.','Nothing. If it is not needed any more, it is a place to free disk.',NULL);
INSERT INTO "findings" VALUES(3,'ROOT-ID','good','good/ckpt-1','stale-checkpoint','info','Saved on 2026-01-31, superseded since.','Nothing. A retention policy can let it go.',NULL);
INSERT INTO "findings" VALUES(4,'ROOT-ID','bad','bad/ckpt-1','checksum-mismatch','error','The checksum of model/kernel does not hold.','Do not restore it. Copy it again, or resume from another checkpoint.',NULL);
INSERT INTO "findings" VALUES(5,'ROOT-ID','bad','bad','nothing-restorable','error','Its only checkpoint cannot be restored.','Bring missing files back, or start the job anew.',NULL);
INSERT INTO "findings" VALUES(6,'ROOT-ID','bad','bad','stale-run','info','No file in it has changed since 2026-01-31.','Nothing. If it is not needed any more, it is a place to free disk.',NULL);
CREATE TABLE folders (
	root VARCHAR(12) NOT NULL, 
	path TEXT NOT NULL, 
	signature VARCHAR(32) NOT NULL, 
	times TEXT NOT NULL, 
	subfolders TEXT NOT NULL, 
	newest_ns BIGINT NOT NULL, 
	has_units BOOLEAN NOT NULL, 
	has_folder_unit BOOLEAN NOT NULL, 
	is_marker BOOLEAN NOT NULL, 
	recheck BOOLEAN NOT NULL, 
	bytes BIGINT NOT NULL, 
	run TEXT, 
	states TEXT NOT NULL, 
	leftovers TEXT NOT NULL, 
	problems TEXT NOT NULL, 
	PRIMARY KEY (root, path)
);
INSERT INTO "folders" VALUES('ROOT-ID','','85020894aa0025a7b74eb744ec92f21e','[["", 1795878473988253523]]','["bad", "good"]',0,0,0,0,0,0,NULL,'[]','[]','[]');
INSERT INTO "folders" VALUES('ROOT-ID','good','50cc87d78bd27ce94ab6b582dfea93a6','[["", 1795878475372598738]]','[]',1769851920000000000,1,0,0,0,2130,'good','[]','[]','[]');
INSERT INTO "folders" VALUES('ROOT-ID','bad','cd4e7907556fc48eba6a8d393c0b54ab','[["", 1795878473988455444]]','[]',1769851860000000000,1,0,0,0,1065,'bad','[]','[]','[]');
CREATE TABLE roots (
	id VARCHAR(12) NOT NULL, 
	path TEXT NOT NULL, 
	problem TEXT, 
	looked_at_us BIGINT, 
	PRIMARY KEY (id)
);
INSERT INTO "roots" VALUES('ROOT-ID','/ROOT',NULL,1795878475393976);
CREATE TABLE runs (
	root VARCHAR(12) NOT NULL, 
	path TEXT NOT NULL, 
	checkpoints INTEGER NOT NULL, 
	restorable INTEGER NOT NULL, 
	series INTEGER NOT NULL, 
	bytes BIGINT NOT NULL, 
	leftover_bytes BIGINT NOT NULL, 
	newest_step BIGINT, 
	last_saved_us BIGINT, 
	changed_us BIGINT, 
	median_interval FLOAT, 
	live_until_us BIGINT NOT NULL, 
	stale_from_us BIGINT NOT NULL, 
	errors INTEGER NOT NULL, 
	warnings INTEGER NOT NULL, 
	infos INTEGER NOT NULL, 
	accepted INTEGER NOT NULL, 
	decided TEXT NOT NULL, 
	outside TEXT NOT NULL, 
	turns_us BIGINT, 
	PRIMARY KEY (root, path)
);
INSERT INTO "runs" VALUES('ROOT-ID','good',2,2,1,2130,0,2,1769851920000000,1769851920000000,60.0,1769855520000000,1771061520000000,0,0,3,0,'','',NULL);
INSERT INTO "runs" VALUES('ROOT-ID','bad',1,0,1,1065,0,1,1769851860000000,1769851860000000,NULL,1769855460000000,1771061460000000,2,0,1,0,'','',NULL);
CREATE TABLE schema_version (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(2);
CREATE TABLE snapshots (
	root VARCHAR(12) NOT NULL, 
	at_us BIGINT NOT NULL, 
	runs TEXT NOT NULL, 
	PRIMARY KEY (root, at_us)
);
INSERT INTO "snapshots" VALUES('ROOT-ID',1795792075355391,'[["bad", 1065, 12288], ["good", 1065, 12288], [null, 0, 4096]]');
INSERT INTO "snapshots" VALUES('ROOT-ID',1795878475410415,'[["good", 2130, 20480], ["bad", 1065, 12288], [null, 0, 4096]]');
CREATE TABLE verifications (
	root VARCHAR(12) NOT NULL, 
	path TEXT NOT NULL, 
	format VARCHAR(20) NOT NULL, 
	identity VARCHAR(12) NOT NULL, 
	finished_us BIGINT NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (root, path, format)
);
INSERT INTO "verifications" VALUES('ROOT-ID','bad/ckpt-1','tf-bundle','7b6355c6dca1',1795878474677081,'{"outcome": "damaged", "detail": "1 tensor did not pass, of 6 tensors that were read.", "tensors": 6, "bytes": 573, "seconds": 0.01849847500125179, "problems": [["checksum-mismatch", "model/kernel/.ATTRIBUTES/VARIABLE_VALUE", "The checksum of bytes 0 to 24 of ckpt-1.data-00000-of-00001 does not hold.", 0]], "problem_count": 1, "unverifiable": [], "unverifiable_count": 0, "files": [["ckpt-1.index", 492, 1769851860000000000, 2770098, 65024, 1, 4096], ["ckpt-1.data-00000-of-00001", 573, 1769851860000000000, 2770155, 65024, 1, 4096]], "finished_at": "2026-11-28T15:07:54.677081+00:00", "restore": null}');
INSERT INTO "verifications" VALUES('ROOT-ID','good/ckpt-1','tf-bundle','3bf000245bb0',1795878475326735,'{"outcome": "verified", "detail": "6 tensors passed.", "tensors": 6, "bytes": 573, "seconds": 0.015973301000485662, "problems": [], "problem_count": 0, "unverifiable": [], "unverifiable_count": 0, "files": [["ckpt-1.index", 492, 1769851860000000000, 2301963, 65024, 1, 4096], ["ckpt-1.data-00000-of-00001", 573, 1769851860000000000, 2301964, 65024, 1, 4096]], "finished_at": "2026-11-28T15:07:55.326735+00:00", "restore": null}');
CREATE INDEX checkpoints_by_time ON checkpoints (saved_at_us);
CREATE INDEX checkpoints_by_run ON checkpoints (root, run);
CREATE INDEX checkpoints_by_folder ON checkpoints (root, folder);
CREATE INDEX checkpoints_by_bytes ON checkpoints (bytes);
CREATE INDEX checkpoints_by_step ON checkpoints (step);
CREATE UNIQUE INDEX checkpoints_by_path ON checkpoints (root, path, format);
CREATE INDEX runs_by_last_saved ON runs (last_saved_us);
CREATE INDEX findings_by_severity ON findings (severity);
CREATE INDEX findings_by_path ON findings (root, path);
CREATE INDEX findings_by_rule ON findings (rule, root, run, path, accepted);
CREATE INDEX findings_by_run ON findings (root, run);
COMMIT;
