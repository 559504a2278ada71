// Package genuine shows the doctor on the genuine ElasticJob, from Maven
// Central: make elasticjob. Its tests have the build tag genuine.
package genuine
