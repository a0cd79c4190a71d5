"""Spark's own example, and then a job of DataFrames twice: the second time when the file is there
that is named by the first argument, and by which the test has killed an executor."""

import os
import runpy
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def total(spark):
    frame = spark.range(0, 100_000, 1, 4).withColumn("key", F.col("id") % 10)
    sums = frame.groupBy("key").agg(F.sum("id").alias("sum"))
    return sums.agg(F.sum("sum")).collect()[0][0]


go = sys.argv[1]
example = os.path.join(os.environ["SPARK_HOME"], "examples/src/main/python/pi.py")
sys.argv = [example, "2"]
runpy.run_path(example, run_name="__main__")

spark = SparkSession.builder.appName("frames").getOrCreate()
print("first", total(spark), spark.sparkContext.applicationId, flush=True)
while not os.path.exists(go):
    time.sleep(0.1)
print("second", total(spark), flush=True)
spark.stop()
