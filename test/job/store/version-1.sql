-- What the first version of the store wrote.
CREATE TABLE jobs ( number INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL UNIQUE, state INTEGER NOT NULL, plugin TEXT NOT NULL, action TEXT NOT NULL, labels TEXT NOT NULL, create_time INTEGER NOT NULL, end_time INTEGER, summary BLOB NOT NULL, params BLOB NOT NULL, result BLOB, given TEXT NOT NULL, fingerprint TEXT NOT NULL, position INTEGER NOT NULL ) STRICT;
CREATE INDEX jobs_by_state ON jobs (state, number);
CREATE INDEX jobs_by_end ON jobs (end_time);
CREATE TABLE events ( job_id TEXT NOT NULL, sequence INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (job_id, sequence) ) STRICT, WITHOUT ROWID;
INSERT INTO jobs (number,job_id,state,plugin,action,labels,create_time,end_time,summary,params,result,given,fingerprint,position) VALUES (1,'ended',4,'p','a','{"team":"red"}',1000,2000,x'0a05656e6465641201701a01613a0b0a047465616d120372656440045202080162020802900103980101',x'2a100a0e0a0178120911000000000000f03f',x'8201061a04646f6e65','{"params":{},"non_finite":[],"env":{}}','mark',9);
INSERT INTO jobs (number,job_id,state,plugin,action,labels,create_time,end_time,summary,params,result,given,fingerprint,position) VALUES (2,'waiting',1,'p','a','{"team":"red"}',1000,NULL,x'0a0777616974696e671201701a01613a0b0a047465616d1203726564400152020801',x'2a100a0e0a0178120911000000000000f03f',NULL,'{"params":{"x":1},"non_finite":[],"env":{"TOKEN":"t"}}','mark',0);
INSERT INTO events (job_id,sequence,bytes) VALUES ('ended',1,x'08011202080132051a036f6e65');
INSERT INTO events (job_id,sequence,bytes) VALUES ('ended',2,x'08021202080132051a0374776f');
INSERT INTO events (job_id,sequence,bytes) VALUES ('ended',3,x'08031202080242080a061a04646f6e65');
PRAGMA user_version = 1;
